"""The two kinds of key for Vertex AI: a service account, traded for access tokens, and an API key. Pure.

https://cloud.google.com/vertex-ai/generative-ai/docs/start/api-keys
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from metering.providers.account import Headers, Outgoing, Probe
from metering.providers.base import Route
from metering.providers.service_account import ServiceAccount, read_key_file

GLOBAL = "global"
LOCATION = re.compile(r"[a-z]{2,}(?:-[a-z]+[0-9]{1,2})?")
PROJECT = re.compile(r"[a-z][a-z0-9:.-]{4,62}")
API_KEY = re.compile(r"[!-~]+")
IN_PATH = re.compile(r"/locations/([a-z0-9-]+)/")
UNSCOPED = re.compile(r"(/v[0-9a-z]+)(/(?:publishers|endpoints)/.*)")
MULTIPLE_REGIONS = ("us", "eu")
PROBED = "/publishers/google/models/gemini-2.5-flash:countTokens"
PROBE_BODY = b'{"contents":[{"role":"user","parts":[{"text":"test"}]}]}'
NOT_HERE = frozenset({404})
"""The model may be gone or not be served there: the key is taken all the same."""


@dataclass(frozen=True, slots=True)
class VertexKey:
    """An account at Vertex AI: an `api_key`, or a service account for a project. An `Account`."""

    api_key: str = ""
    grant: ServiceAccount | None = None
    project: str = ""
    location: str = GLOBAL

    @property
    def shown(self) -> str:
        return (self.grant.key_id if self.grant else self.api_key)[-4:]

    @property
    def stored(self) -> str:
        if self.grant is None:
            return self.api_key
        told = {
            "type": "service_account",
            "project_id": self.project,
            "location": self.location,
            "private_key_id": self.grant.key_id,
            "private_key": self.grant.private_key,
            "client_email": self.grant.email,
            "token_uri": self.grant.url,
        }
        return json.dumps(told)

    def base_url(self, route: Route) -> str:
        named = IN_PATH.search(self.path(route))
        return f"https://{host_of(named[1] if named else GLOBAL)}"

    def path(self, route: Route) -> str:
        """A path without project, as API keys use them, is completed for a service account."""
        if self.grant is None or (match := UNSCOPED.fullmatch(route.path)) is None:
            return route.path
        return f"{match[1]}/projects/{self.project}/locations/{self.location}{match[2]}"

    def sign(self, request: Outgoing, route: Route, moment: datetime) -> bytes:
        return b"x-goog-api-key: %b\r\n" % self.api_key.encode()

    def rejected(self, status: int, headers: Headers, body: bytes) -> bool:
        return status == 401 or (status == 400 and b"API_KEY_INVALID" in body)

    def probe(self) -> Probe:
        scope = f"/projects/{self.project}/locations/{self.location}" if self.grant else ""
        return Probe("POST", f"/v1{scope}{PROBED}", PROBE_BODY, NOT_HERE)


def host_of(location: str) -> str:
    """The host of a location: https://cloud.google.com/vertex-ai/docs/general/locations."""
    if location == GLOBAL:
        return "aiplatform.googleapis.com"
    if location in MULTIPLE_REGIONS:
        return f"aiplatform.{location}.rep.googleapis.com"
    return f"{location}-aiplatform.googleapis.com"


def read_key(secret: str) -> VertexKey:
    """A stored or pasted key: a service account's key file, to which a location may be added, or an API key.

    Raises ValueError with a sentence for who pasted it.
    """
    if not secret.lstrip().startswith("{"):
        if not API_KEY.fullmatch(secret.strip()):
            raise ValueError("This is no API key: it has blanks or other characters that no key has.")
        return VertexKey(api_key=secret.strip())
    try:
        document: Any = json.loads(secret)
    except (ValueError, RecursionError) as error:
        raise ValueError("This JSON cannot be read: paste all of the key file.") from error
    grant = read_key_file(document)
    project, location = document.get("project_id") or "", document.get("location") or GLOBAL
    if not isinstance(project, str) or not PROJECT.fullmatch(project):
        raise ValueError("Name the project by its id, such as my-project-123.")
    if not isinstance(location, str) or not LOCATION.fullmatch(location):
        raise ValueError("Name the location like global, eu or europe-west4.")
    return VertexKey(grant=grant, project=project, location=location)
