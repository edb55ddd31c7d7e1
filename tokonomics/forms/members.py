"""Whom to invite, and as what."""

from __future__ import annotations

from django import forms

from tokonomics.access import reaches
from tokonomics.models import Role

MEANINGS = {
    Role.OWNER: "Owner: everything, other owners too",
    Role.ADMIN: "Admin: everything but owners",
    Role.MEMBER: "Member: clients and keys",
    Role.VIEWER: "Viewer: may look at everything and change nothing",
}


def givable(own: Role) -> list[Role]:
    """The roles that somebody with the role `own` may give."""
    return [role for role in Role if reaches(own, role)]


class InvitationForm(forms.Form):
    """An address and a role."""

    email = forms.EmailField(
        label="E-mail address", max_length=254, widget=forms.EmailInput(attrs={"autocomplete": "off"})
    )
    role = forms.ChoiceField(initial=Role.MEMBER)

    def __init__(self, *args: object, own: Role, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        field = self.fields["role"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [(role.value, MEANINGS[role]) for role in givable(own)]


class RoleForm(forms.Form):
    """Another role for a member."""

    role = forms.ChoiceField(choices=Role.choices)
