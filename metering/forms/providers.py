"""What is asked to connect a provider, and to change an account at one."""

from __future__ import annotations

from typing import Any

from django import forms

from metering.credentials import NAME_LENGTH, SECRET_LENGTH
from metering.models import ProviderCredential
from metering.providers.base import OwnAddress, Provider


def secret_field(*, required: bool, help_text: str) -> forms.CharField:
    """A provider's key: never shown again, and no password that a browser should remember."""
    widget = forms.PasswordInput(attrs={"autocomplete": "off", "spellcheck": "false"})
    return forms.CharField(label="Key", max_length=SECRET_LENGTH, required=required, help_text=help_text, widget=widget)


def base_url_field(*, required: bool, help_text: str) -> forms.CharField:
    """An address, which the domain checks."""
    widget = forms.URLInput(attrs={"autocomplete": "off", "spellcheck": "false"})
    return forms.CharField(label="Base URL", max_length=2048, required=required, help_text=help_text, widget=widget)


class ConnectForm(forms.Form):
    """An account at a known provider."""

    secret = secret_field(required=True, help_text="Stored encrypted, and only ever sent to the provider.")
    name = forms.CharField(
        max_length=NAME_LENGTH, help_text="How you tell it from other accounts at the same provider."
    )
    base_url = base_url_field(required=False, help_text="Only for a gateway of your own in front of the provider.")

    def __init__(self, *args: Any, provider: Provider, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["name"].initial = provider.label
        if provider.own_address is not None:
            ask_address(self.fields["base_url"], provider.own_address)
            self.order_fields(["base_url", "secret", "name"])


def ask_address(field: forms.Field, own: OwnAddress) -> None:
    """Make a field for the address that each account has for itself."""
    field.label, field.help_text, field.required = "Resource URL", own.help, True


class OwnServerForm(forms.Form):
    """A server of one's own that speaks OpenAI's dialect."""

    name = forms.CharField(max_length=NAME_LENGTH, help_text="Such as Office GPU.")
    slug = forms.CharField(
        label="Route", max_length=40, help_text="Its name in addresses, /proxy/<route>/…, such as office-gpu."
    )
    base_url = base_url_field(
        required=True, help_text="What you would give to an OpenAI SDK, such as https://llm.example.com/v1."
    )
    secret = secret_field(required=False, help_text="If the server asks for one. Stored encrypted.")


class CredentialForm(forms.Form):
    """An account's name, address and, to replace it, its key."""

    name = forms.CharField(max_length=NAME_LENGTH)
    base_url = base_url_field(required=False, help_text="")
    secret = secret_field(required=False, help_text="")

    def __init__(
        self, *args: Any, credential: ProviderCredential, provider: Provider, own_server: bool, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.fields["name"].initial, self.fields["base_url"].initial = credential.name, credential.base_url
        ending = f", which ends in {credential.last_four}" if credential.last_four else ""
        self.fields["secret"].help_text = f"Leave empty to keep the key{ending}. Another base URL needs the key again."
        self.fields["base_url"].required = own_server
        if provider.own_address is not None:
            ask_address(self.fields["base_url"], provider.own_address)
        elif not own_server:
            self.fields["base_url"].help_text = "Only for a gateway of your own in front of the provider."
