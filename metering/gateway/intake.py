"""From a request to an admitted call: key, provider, endpoint, tags, body, in that order, or the first refusal."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

from metering.errors import Refusal
from metering.gateway import declared, sandbox
from metering.gateway.budget_answers import ADMITTED, budget_head, budget_refusal
from metering.gateway.call import Call
from metering.gateway.door import Door, read_headers, read_target
from metering.gateway.exchange import NO_SPOOL, MeteredExchange
from metering.gateway.refusals import respond_refusal
from metering.gateway.way import Way
from metering.records import encode
from metering.tags import parse_tags

if TYPE_CHECKING:
    from metering.gateway.accounts import Credential, Key
    from metering.gateway.gateway import Gateway
    from metering.gateway.request import Exchange, Request
    from metering.gateway.reservations import Verdict
    from metering.gateway.server import Downstream
    from metering.providers.base import Route

ALLOW = b"allow: GET, HEAD, OPTIONS, POST\r\n"
JSON = b"content-type: application/json\r\n"
NO_LEDGER = "The ledger cannot be reached, so this key cannot be checked now. Try again in a moment."


class Admission:
    """One request on its way in: `stage` is who answers it, this admission until the call starts."""

    __slots__ = ("client", "dialect", "door", "gateway", "key", "left", "request", "stage")

    def __init__(self, gateway: Gateway, request: Request, client: Downstream) -> None:
        self.gateway = gateway
        self.request = request
        self.client = client
        self.key: Key | None = None
        self.left = False
        self.door: Door | None = None
        self.dialect = "openai"
        self.stage: Exchange | None = self

    def open(self) -> Exchange | None:
        """Let the call in, refuse it, or wait for its key, its rate limit or its caps."""
        directory = self.gateway.directory
        way = self.request.head.way
        if way is not None and directory.find(way.door.digest) is way.key:
            self.door = way.door
            self.dialect = way.dialect
            self.key = way.key
            self._enter(way)
            return self.stage
        try:
            door = self._read()
            if self.request.head.method in (b"HEAD", b"OPTIONS"):
                self._answer_probe(door)
                return None
            read_headers(door, self.request.head)
        except Refusal as refusal:
            self._refuse(refusal)
            return None
        key = directory.find(door.digest)
        if key is None and door.digest not in directory.unknown:
            directory.look_up(door.digest, self._looked_up)
        else:
            self._admit(key)
        return self.stage

    def _read(self) -> Door:
        self.door = door = read_target(self.request.head.target)
        self.dialect = door.dialect
        return door

    def _answer_probe(self, door: Door) -> None:
        """HEAD and OPTIONS ask whether anyone is there (Claude Code does so before its first call)."""
        if door.provider is None:
            raise Refusal("unknown_provider")
        self.client.respond(200 if self.request.head.method == b"HEAD" else 204, ALLOW, b"")

    def _looked_up(self, key: Key | None, reached: bool) -> None:
        if self.left:
            return
        if reached:
            self._admit(key)
        else:
            self._refuse(Refusal("budget_unavailable", NO_LEDGER))

    def _admit(self, key: Key | None) -> None:
        self.key = key
        try:
            owner = self._owner(key)
            if self._declares():
                self._declare(owner)
                return
            way = self.request.head.way = self._way(owner)
        except Refusal as refusal:
            self._refuse(refusal)
        else:
            self._enter(way)

    def _enter(self, way: Way) -> None:
        """Read the body, then ask the limits and the caps."""
        try:
            call = self._call(way)
        except Refusal as refusal:
            self._refuse(refusal)
            return
        token = way.credential.token
        if token is None or token.valid():
            self._let_in(call)
        else:
            token.wait(partial(self._authorised, call))

    def _authorised(self, call: Call, problem: Refusal | None) -> None:
        """The provider has given an access token, or has not."""
        if self.left:
            return
        if problem is None:
            self._let_in(call)
        else:
            self._refuse(problem)

    def _let_in(self, call: Call) -> None:
        key = call.key
        if call.way.limited:
            self.gateway.limiter.admit(
                key.id,
                key.requests_per_minute,
                key.tokens_per_minute,
                call.input_estimate,
                partial(self._limited, call),
            )
        else:
            self._reserve(call)

    def _call(self, way: Way) -> Call:
        call = Call(way, way.key.workspace.prices or self.gateway.catalogue, self.request.body)
        if not way.key.may_use(way.credential.slug, call.model):
            raise Refusal("model_not_allowed")
        return call

    def _limited(self, call: Call, wait: int) -> None:
        """The rate limits have spoken: 0, or the seconds after which to try again."""
        if self.left:
            return
        if wait:
            self._refuse(Refusal("rate_limited", retry_after=wait))
        else:
            self._reserve(call)

    def _reserve(self, call: Call) -> None:
        if not call.way.caps:
            self._start(call)
            return
        try:
            hold = call.hold()
        except Refusal as refusal:
            self._not_reserved(call)
            self._refuse(refusal)
            return
        self.gateway.reservations.reserve(hold, partial(self._decided, call))

    def _decided(self, call: Call, verdict: Verdict | None) -> None:
        """The caps have spoken, or cannot be asked."""
        if verdict is not None and verdict.code == ADMITTED:
            call.budget_head = budget_head(verdict)
            if self.left:
                self.gateway.call_off(call)
            else:
                self._start(call)
            return
        self._not_reserved(call)
        if self.left:
            return
        if verdict is None:
            self._refuse(Refusal("budget_unavailable", retry_after=1))
        else:
            self._refuse(budget_refusal(verdict, call.key.workspace.budget_status), budget_head(verdict))

    def _not_reserved(self, call: Call) -> None:
        """Return the tokens that a rate limit has counted for a call which is not made."""
        if call.way.limited:
            self.gateway.limiter.spent(call.key.id, call.key.tokens_per_minute, -call.input_estimate, call.elapsed_ms())

    def _start(self, call: Call) -> None:
        if self.gateway.spool.full:
            self.gateway.call_off(call)
            self._refuse(Refusal("budget_unavailable", NO_SPOOL))
            return
        exchange = MeteredExchange(self.gateway, self.client, call)
        self.stage = exchange
        exchange.start()
        self.client.answered_by(exchange)

    def _owner(self, key: Key | None) -> Key:
        if key is None:
            raise Refusal("invalid_api_key", "This API key is not known here: check that it was copied whole.")
        if key.revoked:
            raise Refusal("key_disabled")
        if key.workspace.suspended:
            raise Refusal("workspace_suspended")
        return key

    def _declares(self) -> bool:
        door = self.door
        posted = self.request.head.method == b"POST"
        return door is not None and door.slug == declared.SLUG and door.path == "/" and posted

    def _declare(self, key: Key) -> None:
        """Record a call that was made elsewhere; the answer is sent when its line is written."""
        assert self.door is not None
        prices = key.workspace.prices or self.gateway.catalogue
        record, answer = declared.declare(key, self.request.body, self.door.tags, prices)
        if self.gateway.spool.full:
            raise Refusal("budget_unavailable", NO_SPOOL)
        self.gateway.spool.put(encode(record), partial(self._declared, answer))

    def _declared(self, answer: bytes, written: bool) -> None:
        if self.left:
            return
        if written:
            self.stage = None
            self.client.respond(200, JSON, answer)
        else:
            self._refuse(Refusal("budget_unavailable", NO_SPOOL))

    def _way(self, key: Key) -> Way:
        door = self.door
        assert door is not None
        credential, route = self._route(door, key)
        return Way(self.request.head, door, key, credential, route, parse_tags(door.tags))

    def _route(self, door: Door, key: Key) -> tuple[Credential, Route]:
        credential = sandbox.CREDENTIAL if door.slug == sandbox.SLUG else key.credentials.get(door.slug)
        provider = credential.provider if credential else door.provider
        if provider is None:
            raise Refusal(
                "unknown_provider", f"No provider is called {door.slug!r} here: the path is /proxy/{{provider}}/…."
            )
        self.dialect = provider.dialect
        route = provider.route(self.request.head.method.decode(), door.path)
        if route is None:
            raise Refusal("unknown_endpoint")
        self.dialect = route.endpoint.dialect or provider.dialect
        if route.endpoint.refusal:
            raise Refusal("unknown_endpoint", route.endpoint.refusal)
        if credential is None:
            raise Refusal(
                "provider_not_connected", f"This workspace has no key for {provider.label}: connect it under Providers."
            )
        if credential.secret is None:
            raise Refusal(
                "provider_not_connected",
                f"The stored key for {provider.label} can't be decrypted: enter it again under Providers.",
            )
        return credential, route

    def _refuse(self, refusal: Refusal, more: bytes = b"") -> None:
        if self.key is not None:
            workspace = self.key.workspace
            day = workspace.day(time.time())
            client = self.key.client if self.key.client is not None else self._client_tag()
            self.gateway.refusals[workspace.id, day, client, self.key.id, refusal.code] += 1
        self.stage = None
        respond_refusal(self.client, refusal, self.dialect, more)

    def _client_tag(self) -> str:
        try:
            return parse_tags(self.door.tags if self.door else None).client
        except Refusal:
            return ""

    # the client, while the call waits

    def client_gone(self) -> None:
        self.left = True

    def client_slow(self) -> None:
        """Nothing is being sent."""

    def client_ready(self) -> None:
        """Nothing is being sent."""
