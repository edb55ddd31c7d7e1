"""What is asked for a new key, and for a key's new name."""

from __future__ import annotations

from typing import Any

from django import forms

from metering.credentials import in_use
from metering.keys import NAME_LENGTH
from metering.models import Client, ProviderCredential
from tokonomics.models import Workspace


class CredentialChoice(forms.ModelChoiceField):  # type: ignore[type-arg]
    """Accounts as `OpenAI, Acme's own (…8Xq2)`."""

    def label_from_instance(self, obj: ProviderCredential) -> str:
        """The account's name with its provider and the end of its key."""
        ending = f" (…{obj.last_four})" if obj.last_four else ""
        return f"{obj.slug}: {obj.name}{ending}"


class KeyForm(forms.Form):
    """A key for a client that exists, for one that is made with it, or for whatever client each call names."""

    name = forms.CharField(max_length=NAME_LENGTH, help_text="What will use it, such as chatbot production.")
    client = forms.ModelChoiceField(
        Client.objects.none(),
        required=False,
        empty_label="None: each call names its client in a tag",
        help_text="All calls of the key are this client's, whatever their tags say.",
    )
    new_client = forms.CharField(
        label="New client", max_length=256, required=False, help_text="Makes the client with the key."
    )
    new_client_tag = forms.CharField(
        label="Tag of the new client",
        max_length=256,
        required=False,
        help_text="What calls with other keys send as their client tag. Made of the name when left empty: acme-corp.",
    )
    credential = CredentialChoice(
        ProviderCredential.objects.none(),
        label="Provider account",
        required=False,
        empty_label="The default account of each provider",
        help_text="Pin the key to one account, such as a client's own.",
    )

    def __init__(self, *args: Any, workspace: Workspace, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        clients, credentials = self.fields["client"], self.fields["credential"]
        assert isinstance(clients, forms.ModelChoiceField)
        assert isinstance(credentials, forms.ModelChoiceField)
        usable = workspace.clients.filter(archived_at=None).exclude(confirmed_at=None)
        clients.queryset = usable.order_by("name", "id")
        credentials.queryset = in_use(workspace)

    def clean(self) -> dict[str, Any]:
        """One client at most."""
        cleaned = super().clean() or self.cleaned_data
        if cleaned.get("client") and cleaned.get("new_client"):
            self.add_error("new_client", "Choose a client above or make a new one, not both.")
        if cleaned.get("new_client_tag") and not cleaned.get("new_client"):
            self.add_error("new_client", "A new client needs a name.")
        return cleaned


class RenameForm(forms.Form):
    """A key's new name."""

    name = forms.CharField(max_length=NAME_LENGTH, help_text="Calls that were made keep the name they were made under.")
