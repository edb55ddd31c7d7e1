"""What is asked for a key of Amazon Bedrock or of Google Vertex AI, which is more than one word."""

from __future__ import annotations

import json
from typing import Any

from django import forms

from metering.credentials import NAME_LENGTH, STORED_LENGTH
from metering.forms.providers import base_url_field, secret_field
from metering.providers.account import Account
from metering.providers.base import Provider
from metering.providers.bedrock_key import USUAL_REGION

OWN_ADDRESS = "Only for a gateway of your own in front of the provider."
PARTS = "Give an API key of Bedrock, or an access key with its secret."
HALF = "An access key has an id and a secret: give both."
BOTH = "Give an API key or an access key, not both."


class SecretArea(forms.Textarea):
    """Does not repeat what was typed, as password inputs do not."""

    def format_value(self, value: Any) -> str:
        return ""


class _CloudForm(forms.Form):
    """Puts the parts of a key together as `secret`, which is what the domain takes; empty keeps a stored one."""

    name = forms.CharField(
        max_length=NAME_LENGTH, help_text="How you tell it from other accounts at the same provider."
    )

    places: tuple[str, ...] = ()
    """Fields that say where a key is used; another place needs the key again."""

    def __init__(self, *args: Any, provider: Provider, kept: Account | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.kept = kept
        self.fields["name"].initial = provider.label
        for place in self.places if kept else ():
            self.fields[place].initial = getattr(kept, place)

    def clean(self) -> dict[str, Any]:
        told = super().clean() or {}
        if self.errors:
            return told
        secret = self.secret(told)
        if not secret:
            self.check_kept(told)
        return {"name": told["name"], "base_url": told["base_url"], "secret": secret}

    def check_kept(self, told: dict[str, Any]) -> None:
        """Without a key there must be a stored one, and it must be used where it was."""
        if self.kept is None:
            self.add_error(None, PARTS)
            return
        for place in self.places:
            if told[place].strip() not in ("", self.fields[place].initial):
                self.add_error(place, f"Another {place} needs the key again.")

    def secret(self, told: dict[str, Any]) -> str:
        """The key, or '' where none was typed."""
        raise NotImplementedError


class BedrockForm(_CloudForm):
    """An API key, or an access key of AWS, and the region that it is used in."""

    places = ("region",)

    region = forms.CharField(
        max_length=32, initial=USUAL_REGION, help_text="Where your models are, such as us-east-1 or eu-central-1."
    )
    api_key = secret_field(required=False, help_text="Of Bedrock itself; it must be of the same region.")
    access_key_id = forms.CharField(
        label="Access key ID",
        max_length=128,
        required=False,
        help_text="Instead of an API key: of a user or role that may call bedrock:InvokeModel.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    secret_access_key = secret_field(required=False, help_text="Stored encrypted; it signs each call and is not sent.")
    session_token = secret_field(required=False, help_text="For temporary access keys only, which begin with ASIA.")
    base_url = base_url_field(required=False, help_text=OWN_ADDRESS)

    field_order = ("region", "api_key", "access_key_id", "secret_access_key", "session_token", "name", "base_url")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["api_key"].label = "API key"
        self.fields["secret_access_key"].label = "Secret access key"
        self.fields["session_token"].label = "Session token"

    def secret(self, told: dict[str, Any]) -> str:
        parts = {
            "api_key": told["api_key"],
            "aws_access_key_id": told["access_key_id"],
            "aws_secret_access_key": told["secret_access_key"],
            "aws_session_token": told["session_token"],
        }
        given = {name: value.strip() for name, value in parts.items() if value.strip()}
        if "api_key" in given and len(given) > 1:
            self.add_error("api_key", BOTH)
        elif given and "api_key" not in given and not {"aws_access_key_id", "aws_secret_access_key"} <= given.keys():
            self.add_error("access_key_id" if "aws_access_key_id" not in given else "secret_access_key", HALF)
        return json.dumps({"region": told["region"].strip().lower(), **given}) if given else ""


class VertexForm(_CloudForm):
    """A service account's key file with its project and location, or an API key."""

    places = ("project", "location")

    key_file = forms.CharField(
        label="Service account key",
        max_length=2 * STORED_LENGTH,
        required=False,
        help_text="The whole JSON file; or an API key of Vertex AI. Stored encrypted.",
        widget=SecretArea(attrs={"autocomplete": "off", "spellcheck": "false", "rows": 8}),
    )
    project = forms.CharField(
        max_length=63, required=False, help_text="Its id; empty: the one that the service account belongs to."
    )
    location = forms.CharField(
        max_length=32,
        required=False,
        initial="global",
        help_text="For calls that name none, such as global, eu or europe-west4.",
    )
    base_url = base_url_field(required=False, help_text=OWN_ADDRESS)

    field_order = ("key_file", "project", "location", "name", "base_url")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["key_file"].required = self.kept is None

    def secret(self, told: dict[str, Any]) -> str:
        text = str(told["key_file"]).strip()
        if not text.startswith("{"):
            return text
        try:
            document = json.loads(text)
        except (ValueError, RecursionError):
            self.add_error("key_file", "This JSON cannot be read: paste all of the key file.")
            return text
        changes = {"project_id": told["project"].strip(), "location": told["location"].strip().lower()}
        return json.dumps(document | {name: value for name, value in changes.items() if value})


CLOUD_FORMS: dict[str, type[_CloudForm]] = {"bedrock": BedrockForm, "vertex": VertexForm}
"""By provider."""
