"""What a call's head led to when it was let in, worked out once for all calls that have the same head."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from metering.gateway.caps import NO_CAPS
from metering.gateway.headers import to_provider

if TYPE_CHECKING:
    from metering.gateway.accounts import Credential, Key
    from metering.gateway.caps import Cap
    from metering.gateway.door import Door
    from metering.gateway.request import Head
    from metering.providers.base import Route
    from metering.tags import Tags


class Way:
    """The account and the route of a call, and the bytes that are the same for each call with its head.

    Holds as long as `key` is the object that the directory has: every change of a key, its workspace, its client, a
    credential or a budget makes another one. `caps` are the budgets to reserve on; `facts` are members of the JSON of
    a call's lines in the spool; `opening` is the message to the provider up to what each call has of its own. A way is
    `open` where nobody need be asked about a call: it has no list of models, no rate limit, no cap and no access token.
    """

    __slots__ = (
        "caps",
        "client",
        "credential",
        "dialect",
        "door",
        "facts",
        "key",
        "limited",
        "metered",
        "method",
        "open",
        "opening",
        "origin",
        "route",
        "tags",
        "target",
    )

    def __init__(self, head: Head, door: Door, key: Key, credential: Credential, route: Route, tags: Tags) -> None:
        endpoint = route.endpoint
        self.door = door
        self.key = key
        self.credential = credential
        self.route = route
        self.tags = tags.values
        self.client = tags.client if key.client is None else key.client
        self.dialect = endpoint.dialect or credential.provider.dialect
        self.metered = endpoint.metered
        self.method = head.method
        self.origin = credential.origin_of(route)
        self.limited = self.metered and (key.requests_per_minute is not None or key.tokens_per_minute is not None)
        caps = key.workspace.caps
        may_cost = endpoint.metered and not endpoint.free and caps is not NO_CAPS
        self.caps: list[Cap] = caps.of(key.id, self.client) if may_cost else []
        listed = key.allowed_models or key.allowed_providers
        self.open = not (listed or self.limited or self.caps or credential.token)
        self.facts = self._facts()
        self.opening = self._opening(head)

    def _facts(self) -> bytes:
        key = self.key
        facts = {
            "workspace": key.workspace.id,
            "client": self.client,
            "key": key.id,
            "key_name": key.name,
            "credential": self.credential.id,
            "provider": self.credential.slug,
            "endpoint": self.route.endpoint.kind,
            "tags": self.tags,
            "test": self.credential.slug == "sandbox",
        }
        return orjson.dumps(facts)[1:-1]

    def _opening(self, head: Head) -> bytes:
        """Method, target, and the headers of the account, of the client and of the provider's own needs."""
        self.target, common = self.credential.head(self.route)
        if self.door.query:
            self.target = b"%b?%b" % (self.target, self.door.query.encode())
        extra = self.credential.provider.extra_headers
        lines = b"".join([b"%b: %b\r\n" % header for header in extra if head.header(header[0]) is None])
        return b"%b %b HTTP/1.1\r\n%b%b%b" % (head.method, self.target, common, to_provider(head.headers), lines)
