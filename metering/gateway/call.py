"""One metered call, from admission to its event. Sans I/O: bytes in, bytes and lines of the spool out."""

from __future__ import annotations

import datetime as dt
import time
from typing import TYPE_CHECKING, Any

import orjson
import uuid_utils

from billing.reading import basis_of, charge_reading
from billing.worst_case import worst_case
from metering import tokens
from metering.bounds import bound
from metering.errors import Refusal
from metering.estimates import Request, Told, kept
from metering.gateway.bodies import model_of, read_form, read_json
from metering.gateway.reservations import Hold
from metering.providers.injection import ask_for_usage, limit_output
from metering.records import line
from metering.usage import Reading, Usage

if TYPE_CHECKING:
    from billing.cards import RateCards
    from billing.pricing import Charge
    from metering.bounds import Limit
    from metering.gateway.accounts import Credential, Key
    from metering.gateway.origin import Headers
    from metering.gateway.way import Way
    from metering.providers.base import Reader, Route

NOTHING = Usage()


class Call:
    """A call that was let in; its moment and its prices are those of its admission.

    `at` is that moment in microseconds since the epoch, `model` and `stream` are what the client asked for.
    """

    __slots__ = (
        "asks_usage",
        "at",
        "body",
        "budget_head",
        "catalogue",
        "cost",
        "document",
        "facts",
        "first_byte_ms",
        "hide_usage",
        "id",
        "input_estimate",
        "limits",
        "model",
        "moment",
        "request",
        "started",
        "stream",
        "total_tokens",
        "way",
    )

    def __init__(self, way: Way, catalogue: RateCards, body: bytes | bytearray) -> None:
        """Learn the model and whether to stream from the body; raises Refusal `invalid_request`."""
        self.id = str(uuid_utils.uuid7())
        self.at = time.time_ns() // 1000
        self.moment = dt.datetime.fromtimestamp(self.at / 1e6, dt.UTC)
        self.started = time.monotonic()
        self.way = way
        self.catalogue = catalogue
        self.body = body
        self.document: dict[str, Any]
        self.model = way.route.model
        self.stream = bool(way.route.stream)
        self.asks_usage = self.hide_usage = False
        self.limits: tuple[Limit, ...] = ()
        self.input_estimate = self.total_tokens = 0
        self.first_byte_ms: int | None = None
        self.cost: int | None = None
        self.budget_head = b""
        self.facts = b""
        self.request: Request | None = None
        if way.metered:
            self._read_body(way, body)
        else:
            self.document = {}

    def _read_body(self, way: Way, body: bytes | bytearray) -> None:
        route = way.route
        endpoint = route.endpoint
        self.document = document = read_form(body) if endpoint.form else read_json(body)
        if not self.model:
            self.model = model_of(document, endpoint.usual_model)
        if route.stream is None:
            self.stream = document.get("stream") in (True, "true")
        self.asks_usage = endpoint.asks_usage and self.stream
        self.input_estimate = tokens.estimate_input(len(body))
        day = way.key.workspace.day(self.at / 1e6)
        stream = "true" if self.stream else "false"
        own = f'"id":"{self.id}","at":{self.at},"day":"{day}","stream":{stream},'
        self.facts = own.encode() + way.facts

    # who calls whom

    @property
    def key(self) -> Key:
        """The key that the call came with."""
        return self.way.key

    @property
    def credential(self) -> Credential:
        """The account that it is made with."""
        return self.way.credential

    @property
    def route(self) -> Route:
        """What is called there."""
        return self.way.route

    @property
    def provider_label(self) -> str:
        """The provider's name for messages."""
        return self.way.credential.provider.label

    def hold(self) -> Hold:
        """What to reserve: the worst case, which a limit on the output makes real where the client set none.

        Raises Refusal `model_not_priced`, also where its answer will not tell what it used, and `invalid_request` where
        that has no bound.
        """
        way = self.way
        provider = way.credential.provider.catalogue
        card = self.catalogue.rate_card(provider, self.model, self.moment)
        window = card.window if card else 0
        endpoint = way.route.endpoint
        bounds = bound(endpoint, way.dialect, self.document, len(self.body), model=self.model, window=window)
        if bounds.reason:
            code = "model_not_priced" if bounds.untold else "invalid_request"
            raise Refusal(code, f"{bounds.reason} A hard cap on this call could not hold.")
        amount = worst_case(self.catalogue, provider, self.model, self.moment, self.document, bounds)
        if amount is None:
            raise Refusal("model_not_priced")
        self.limits = bounds.limits
        return Hold(self.id, way.key.workspace.id, self.moment, amount, way.caps, self._intent().decode())

    def message(self) -> bytes:
        """The request as the provider gets it: its own path, its own key, and nothing that is ours."""
        way = self.way
        body = bytes(self._body())
        length = b"" if way.method == b"GET" else b"content-length: %d\r\n" % len(body)
        if way.credential.account is not None:
            length += way.credential.authorise(way.route, way.method, way.target, body, self.moment)
        return b"%b%bx-request-id: %b\r\n\r\n%b" % (way.opening, length, self.id.encode(), body)

    def may_ask_less(self, status: int, answer: bytes) -> bool:
        """Whether the provider refused only our asking for usage: then we ask no more, and may send the call again."""
        if not (self.hide_usage and status == 400 and b"stream_options" in answer):
            return False
        self.asks_usage = self.hide_usage = False
        return True

    def let_go(self) -> None:
        """Forget the request, of which a long answer needs no more than what an estimate is made of."""
        if self.way.route.endpoint.estimable and self.way.metered:
            self.request = kept(self.body)
        self.body = b""
        if self.way.route.endpoint.later is None:
            self.document = {}

    def _body(self) -> bytes | bytearray:
        """The client's own bytes, but for the two things that we may have to add."""
        body = self.body
        if self.asks_usage:
            body, self.hide_usage = ask_for_usage(bytes(body), self.document)
        return limit_output(bytes(body), self.document, self.limits) if self.limits else body

    # what the provider answered

    def reader(self) -> Reader:
        """A fresh reader for the answer."""
        return self.way.route.endpoint.reader()

    def key_rejected(self, status: int, headers: Headers, body: bytes) -> bool:
        """Whether the provider refuses the stored key (Google says so with 400 and a reason)."""
        if self.way.credential.account is not None:
            return self.way.credential.rejected(status, headers, body)
        return status == 401 or (status == 400 and b"API_KEY_INVALID" in body)

    def elapsed_ms(self) -> int:
        """Milliseconds since admission."""
        return int((time.monotonic() - self.started) * 1000)

    # what the ledger gets

    def intent(self) -> bytes:
        """The line that is written before the first byte leaves: enough for an estimate if nothing more is heard."""
        return line(self._intent())

    def _intent(self) -> bytes:
        card = self.catalogue.rate_card(self.way.credential.provider.catalogue, self.model, self.moment)
        cost = card.input_cost(self.input_estimate) if card else None
        return b'{"kind":"intent",%b,"model":%b,"estimate":{"input_tokens":%d,"cost":%b,"price":%b}}' % (
            self.facts,
            orjson.dumps(self.model),
            self.input_estimate,
            b"null" if cost is None else b"%d" % cost,
            orjson.dumps((card.source, card.version) if card else None),
        )

    def to_estimate(self, reading: Reading, *, http_status: int, dispatched: bool) -> Told | None:
        """What to count, where the answer did not tell its usage or ended too soon; None: nothing to estimate."""
        if reading.usage is not None and not (reading.partial and self.stream):
            return None
        endpoint = self.way.route.endpoint
        if not dispatched or endpoint.free or not endpoint.estimable or (http_status >= 400 and reading.usage is None):
            return None
        if endpoint.later is not None and endpoint.later(self.document):
            return None
        return Told(self.model, self.request or Request(len(self.body), self.document), reading)

    def result(
        self,
        reading: Reading,
        *,
        status: str,
        http_status: int,
        dispatched: bool = True,
        estimate: Usage | None = None,
    ) -> bytes:
        """The event's line: usage, cost, and the unit prices that made it. Keeps the cost.

        `estimate` stands in the place of the usage that the answer did not tell.
        """
        if estimate is not None:
            reading = reading._replace(usage=estimate, parts=(), provider_cost=None)
        unpaid = not dispatched or self.way.route.endpoint.free or (http_status >= 400 and reading.usage is None)
        charge = None if unpaid else self._charge(reading)
        usage = reading.usage or NOTHING
        self.cost, source = _cost(reading, charge, unpaid=unpaid)
        self.total_tokens = usage.total_tokens
        told = {
            "model": reading.model or self.model,
            "requested_model": self.model,
            "status": status,
            "http_status": http_status,
            "estimated": estimate is not None,
            "usage": usage.counts(),
            "cost": self.cost,
            "cost_source": source,
            "price_version": charge.version if charge else "",
            "lines": charge.texts() if charge else [],
            "provider_cost": reading.provider_cost,
            "latency_ms": self.elapsed_ms(),
            "first_byte_ms": self.first_byte_ms,
            "flags": reading.flags,
            "source": "proxy",
        }
        if basis := basis_of(reading):
            told["basis"] = basis
        return line(b'{"kind":"result",%b,%b' % (self.facts, orjson.dumps(told)[1:]))

    def _charge(self, reading: Reading) -> Charge | None:
        provider, model = self.way.credential.provider, self.model
        if provider.priced_as_asked:
            reading, model = reading.as_asked(model), reading.model
        return charge_reading(self.catalogue, provider.catalogue, reading, model, self.moment)


def _cost(reading: Reading, charge: Charge | None, *, unpaid: bool) -> tuple[int | None, str]:
    """Nano-USD and where they are from: the provider's own figure before ours, and none rather than a guess."""
    if unpaid:
        return 0, "free"
    if reading.provider_cost is not None:
        return reading.provider_cost, "provider"
    return (charge.cost, charge.source) if charge else (None, "")
