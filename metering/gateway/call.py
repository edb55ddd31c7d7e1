"""One metered call, from admission to its event. Sans I/O: bytes in, bytes and records out."""

from __future__ import annotations

import datetime as dt
import time
from typing import TYPE_CHECKING, Any

import orjson
import uuid_utils

from billing.catalogue import charge_reading
from billing.worst_case import worst_case
from metering import tokens
from metering.bounds import bound
from metering.errors import Refusal
from metering.gateway.bodies import model_of, read_form, read_json
from metering.gateway.caps import NO_CAPS
from metering.gateway.headers import to_provider
from metering.gateway.reservations import Hold
from metering.providers.injection import ask_for_usage, limit_output
from metering.usage import Reading, Usage

if TYPE_CHECKING:
    from billing.catalogue import Catalogue
    from billing.pricing import Charge
    from metering.bounds import Limit
    from metering.gateway.accounts import Credential, Key
    from metering.gateway.origin import Headers
    from metering.gateway.request import Request
    from metering.providers.base import Reader, Route
    from metering.tags import Tags

NOTHING = Usage()


class Call:
    """A call that was let in; its moment and its prices are those of its admission."""

    __slots__ = (
        "asks_usage",
        "at",
        "body",
        "budget_head",
        "caps",
        "catalogue",
        "client",
        "cost",
        "credential",
        "day",
        "document",
        "first_byte_ms",
        "hide_usage",
        "id",
        "input_estimate",
        "key",
        "limited",
        "limits",
        "metered",
        "model",
        "moment",
        "query",
        "route",
        "started",
        "stream",
        "tags",
        "total_tokens",
    )

    def __init__(
        self, *, key: Key, credential: Credential, route: Route, query: str, tags: Tags, catalogue: Catalogue
    ) -> None:
        self.id = str(uuid_utils.uuid7())
        self.at = time.time_ns() // 1000
        self.moment = dt.datetime.fromtimestamp(self.at / 1e6, dt.UTC)
        self.started = time.monotonic()
        self.key = key
        self.credential = credential
        self.route = route
        self.query = query
        self.tags = tags.values
        self.client = tags.client if key.client is None else key.client
        self.day = key.workspace.day(self.at / 1e6)
        self.catalogue = catalogue
        self.metered = route.endpoint.metered
        self.model = route.model
        self.stream = bool(route.stream)
        self.document: dict[str, Any] = {}
        self.body: bytes | bytearray = b""
        self.asks_usage = self.hide_usage = False
        self.limits: tuple[Limit, ...] = ()
        self.input_estimate = 0
        self.first_byte_ms: int | None = None
        self.cost: int | None = None
        endpoint = route.endpoint
        caps = key.workspace.caps
        self.caps = (
            caps.of(key.id, self.client) if caps is not NO_CAPS and endpoint.metered and not endpoint.free else []
        )
        self.budget_head = b""
        self.limited = self.metered and (key.requests_per_minute is not None or key.tokens_per_minute is not None)
        self.total_tokens = 0

    # what the client asked

    def read_body(self, body: bytearray) -> None:
        """Learn the model and whether to stream from the body; raises Refusal `invalid_request`."""
        self.body = body
        if not self.metered:
            return
        endpoint = self.route.endpoint
        self.document = read_form(body) if endpoint.form else read_json(body)
        if not self.model:
            self.model = model_of(self.document)
        if self.route.stream is None:
            self.stream = self.document.get("stream") in (True, "true")
        self.asks_usage = endpoint.asks_usage and self.stream
        self.input_estimate = tokens.estimate_input(len(body))

    def hold(self) -> Hold:
        """What to reserve: the worst case, which a limit on the output makes real where the client set none.

        Raises Refusal `model_not_priced`, or `invalid_request` where what the call uses has no bound.
        """
        provider = self.credential.provider.catalogue
        card = self.catalogue.rate_card(provider, self.model, self.moment)
        window = card.window if card else 0
        endpoint = self.route.endpoint
        bounds = bound(endpoint, self.dialect, self.document, len(self.body), model=self.model, window=window)
        if bounds.reason:
            raise Refusal("invalid_request", f"{bounds.reason} A hard cap on this call could not hold.")
        amount = worst_case(self.catalogue, provider, self.model, self.moment, self.document, bounds)
        if amount is None:
            raise Refusal("model_not_priced")
        self.limits = bounds.limits
        intent = orjson.dumps(self.intent()).decode()
        return Hold(self.id, self.key.workspace.id, self.moment, amount, self.caps, intent)

    def message(self, request: Request) -> bytes:
        """The request as the provider gets it: its own path, its own key, and nothing that is ours."""
        body = self._body()
        target, common = self.credential.head(self.route)
        if self.query:
            target = b"%b?%b" % (target, self.query.encode())
        extra = self.credential.provider.extra_headers
        lines = b"".join([b"%b: %b\r\n" % header for header in extra if request.header(header[0]) is None])
        if request.method != b"GET":
            lines += b"content-length: %d\r\n" % len(body)
        if self.credential.account is not None:
            lines += self.credential.authorise(self.route, request.method, target, body, self.moment)
        head = b"%b %b HTTP/1.1\r\n%b%b%bx-request-id: %b\r\n\r\n" % (
            request.method,
            target,
            common,
            to_provider(request.headers),
            lines,
            self.id.encode(),
        )
        return head + body

    def may_ask_less(self, status: int, answer: bytes) -> bool:
        """Whether the provider refused only our asking for usage: then we ask no more, and may send the call again."""
        if not (self.hide_usage and status == 400 and b"stream_options" in answer):
            return False
        self.asks_usage = self.hide_usage = False
        return True

    def _body(self) -> bytes | bytearray:
        """The client's own bytes, but for the two things that we may have to add."""
        body = self.body
        if self.asks_usage:
            body, self.hide_usage = ask_for_usage(bytes(body), self.document)
        return limit_output(bytes(body), self.document, self.limits) if self.limits else body

    # what the provider answered

    def reader(self) -> Reader:
        """A fresh reader for the answer."""
        return self.route.endpoint.reader()

    def key_rejected(self, status: int, headers: Headers, body: bytes) -> bool:
        """Whether the provider refuses the stored key (Google says so with 400 and a reason)."""
        if self.credential.account is not None:
            return self.credential.rejected(status, headers, body)
        return status == 401 or (status == 400 and b"API_KEY_INVALID" in body)

    @property
    def dialect(self) -> str:
        """The dialect of errors that we answer in the provider's place."""
        return self.route.endpoint.dialect or self.credential.provider.dialect

    @property
    def provider_label(self) -> str:
        """The provider's name for messages."""
        return self.credential.provider.label

    def elapsed_ms(self) -> int:
        """Milliseconds since admission."""
        return int((time.monotonic() - self.started) * 1000)

    # what the ledger gets

    def intent(self) -> dict[str, Any]:
        """The record that is written before the first byte leaves: enough for an estimate if nothing more is heard."""
        record = self._facts("intent")
        card = self.catalogue.rate_card(self.credential.provider.catalogue, self.model, self.moment)
        cost = card.input_cost(self.input_estimate) if card else None
        record["estimate"] = {"input_tokens": self.input_estimate, "cost": cost}
        return record

    def result(self, reading: Reading, *, status: str, http_status: int, dispatched: bool = True) -> dict[str, Any]:
        """The event's record: usage, cost, and the unit prices that made it. Keeps the cost."""
        unpaid = not dispatched or self.route.endpoint.free or (http_status >= 400 and reading.usage is None)
        estimated = False
        if not unpaid and reading.usage is None:
            reading = self._estimate(reading)
            estimated = reading.usage is not None
        charge = None if unpaid else self._charge(reading)
        record = self._facts("result")
        _add_money(record, reading, charge, unpaid=unpaid)
        self.cost = record["cost"]
        self.total_tokens = reading.usage.total_tokens if reading.usage else 0
        record["model"] = reading.model or self.model
        record["requested_model"] = self.model
        record["status"] = status
        record["http_status"] = http_status
        record["estimated"] = estimated
        record["usage"] = (reading.usage or NOTHING).counts()
        record["latency_ms"] = self.elapsed_ms()
        record["first_byte_ms"] = self.first_byte_ms
        record["flags"] = reading.flags
        record["source"] = "proxy"
        return record

    def _facts(self, kind: str) -> dict[str, Any]:
        key = self.key
        return {
            "kind": kind,
            "id": self.id,
            "at": self.at,
            "workspace": key.workspace.id,
            "day": self.day,
            "client": self.client,
            "key": key.id,
            "key_name": key.name,
            "credential": self.credential.id,
            "provider": self.credential.slug,
            "model": self.model,
            "endpoint": self.route.endpoint.kind,
            "stream": self.stream,
            "tags": self.tags,
            "test": self.credential.slug == "sandbox",
        }

    def _charge(self, reading: Reading) -> Charge | None:
        provider, model = self.credential.provider, self.model
        if provider.priced_as_asked:
            reading, model = reading.as_asked(model), reading.model
        return charge_reading(self.catalogue, provider.catalogue, reading, model, self.moment)

    def _estimate(self, reading: Reading) -> Reading:
        """What the answer must have used at least, by the length of what was sent and seen."""
        endpoint = self.route.endpoint
        if not endpoint.estimable or (endpoint.later is not None and endpoint.later(self.document)):
            return reading
        usage = Usage(
            input_tokens=self.input_estimate,
            output_tokens=tokens.estimate_output(reading.output_characters, reading.output_events),
        )
        return Reading(usage, model=reading.model, service_tier=reading.service_tier, flags=reading.flags)


def _add_money(record: dict[str, Any], reading: Reading, charge: Charge | None, *, unpaid: bool) -> None:
    """The money of an event, in nano-USD: the provider's own figure before ours, and none rather than a guess."""
    cost: int | None
    if unpaid:
        cost, source = 0, "free"
    elif reading.provider_cost is not None:
        cost, source = reading.provider_cost, "provider"
    else:
        cost, source = (charge.cost, charge.source) if charge else (None, "")
    record["cost"] = cost
    record["cost_source"] = source
    record["price_version"] = charge.version if charge else ""
    record["lines"] = [line.texts() for line in charge.lines] if charge else []
    record["provider_cost"] = reading.provider_cost
