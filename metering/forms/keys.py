"""What is asked for a new key, and to change one: its name and its limits."""

from __future__ import annotations

from typing import Any

from django import forms

from metering.credentials import in_use, label_of
from metering.key_limits import MOST_A_MINUTE, Limits, limits_of, usable_slugs
from metering.keys import NAME_LENGTH
from metering.models import ApiKey, Client, ProviderCredential
from tokonomics.models import Workspace


class CredentialChoice(forms.ModelChoiceField):  # type: ignore[type-arg]
    """Accounts as `OpenAI, Acme's own (…8Xq2)`."""

    def label_from_instance(self, obj: ProviderCredential) -> str:
        """The account's name with its provider and the end of its key."""
        ending = f" (…{obj.last_four})" if obj.last_four else ""
        return f"{obj.slug}: {obj.name}{ending}"


class LimitFields(forms.Form):
    """What a key may do; what is left empty limits nothing."""

    requests_per_minute = forms.IntegerField(
        label="Requests a minute", required=False, min_value=1, max_value=MOST_A_MINUTE
    )
    tokens_per_minute = forms.IntegerField(
        label="Tokens a minute",
        required=False,
        min_value=1,
        max_value=MOST_A_MINUTE,
        help_text="Input and output. A call counts with the most it may use until it has ended.",
    )
    allowed_models = forms.CharField(
        label="Models",
        required=False,
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false"}),
        help_text="One a line, * for any characters: gpt-4.1*. Others are refused. Empty: every model.",
    )
    allowed_providers = forms.MultipleChoiceField(
        label="Providers",
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="Others are refused. None ticked: every provider.",
    )

    def offer_providers(self, workspace: Workspace, *also: str) -> None:
        """Let those be ticked that calls can be sent to, and `also`."""
        field = self.fields["allowed_providers"]
        assert isinstance(field, forms.MultipleChoiceField)
        field.choices = [(slug, label_of(slug)) for slug in usable_slugs(workspace, *also)]

    def limits(self) -> Limits:
        """What was chosen, as the domain calls it."""
        asked = self.cleaned_data
        return Limits(
            asked["requests_per_minute"],
            asked["tokens_per_minute"],
            tuple(asked["allowed_models"].splitlines()),
            tuple(asked["allowed_providers"]),
        )


class KeyForm(LimitFields):
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

    field_order = ("name", "client", "new_client", "new_client_tag", "credential")

    def __init__(self, *args: Any, workspace: Workspace, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.offer_providers(workspace)
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


class KeyEditForm(LimitFields):
    """A key's name and limits."""

    name = forms.CharField(max_length=NAME_LENGTH, help_text="Calls that were made keep the name they were made under.")

    field_order = ("name",)

    def __init__(self, *args: Any, key: ApiKey, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        limits = limits_of(key)
        self.offer_providers(key.workspace, *limits.allowed_providers)
        self.initial = {"name": key.name, **limits.fields(), "allowed_models": "\n".join(limits.allowed_models)}
