"""`POST /proxy/usage`: a call that was made elsewhere, told to the ledger by whoever made it. Sans I/O."""

from __future__ import annotations

import datetime as dt
import time
import uuid
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import orjson
import uuid_utils

from billing.listing import OWN
from billing.money import InvalidAmount, to_nano, usd_text
from billing.reading import charge_reading
from metering import providers
from metering.errors import Refusal
from metering.exact_json import Number, decode
from metering.tags import LARGEST_HEADER, InvalidTags, parse_tags, read_tags
from metering.usage import LARGEST_COUNT, Reading, Usage

if TYPE_CHECKING:
    from billing.cards import RateCards
    from billing.pricing import Charge
    from metering.gateway.accounts import Key
    from metering.providers.base import Provider
    from metering.tags import Tags

SLUG = "usage"
FIELDS = frozenset({"model", "input_tokens", "output_tokens", "cost_usd", "source", "event_id", "tags"})
LONGEST = {"model": 256, "source": 64, "event_id": 128}
OTHER = "other"
"""The provider of a call of which nobody said who answered it."""
OURS = frozenset({"proxy", "adjustment"})
LARGEST_COST = 10**18
"""Nano-USD: a billion dollars for one call is a mistake."""


def declare(key: Key, body: bytes | bytearray, header: bytes | None, prices: RateCards) -> tuple[dict[str, Any], bytes]:
    """The event's record and the answer; raises Refusal `invalid_request` or `invalid_tags`."""
    document = _document(body)
    tags = _tags(document["tags"]) if "tags" in document else parse_tags(header)
    at = time.time_ns() // 1000
    usage = Usage(input_tokens=_count(document, "input_tokens"), output_tokens=_count(document, "output_tokens"))
    provider, seller, model = _provider(_text(document, "model", required=True), key, prices, at)
    record = _facts(key, tags, at) | {
        "id": _identifier(key, _text(document, "event_id")),
        "provider": provider,
        "model": model,
        "requested_model": model,
        "usage": usage.counts(),
        "source": _source(document),
        **_money(document, seller, model, usage, prices, at),
    }
    cost = record["cost"]
    answer = {
        "event_id": record["id"],
        "client": record["client"],
        "model": model,
        "cost_usd": None if cost is None else usd_text(cost),
    }
    return record, orjson.dumps(answer)


def _document(body: bytes | bytearray) -> dict[str, Any]:
    """The members of the body; one that is null is one that was not given."""
    try:
        pairs = decode(body.decode())
    except (ValueError, RecursionError) as error:
        raise Refusal("invalid_request", "The body is not valid JSON.") from error
    if type(pairs) is not tuple:
        raise Refusal("invalid_request", "The body must be a JSON object.")
    document = dict(pairs)
    if unknown := sorted(document.keys() - FIELDS):
        raise Refusal("invalid_request", f"Unknown field {unknown[0]!a}: the fields are {', '.join(sorted(FIELDS))}.")
    if len(document) < len(pairs):
        raise Refusal("invalid_request", "A field stands there twice.")
    return {name: value for name, value in document.items() if value is not None}


def _tags(pairs: Any) -> Tags:
    """As strict as the header: what is as long as no header may be is refused too."""
    tags = read_tags(pairs)
    if (size := len(orjson.dumps(tags.values))) > LARGEST_HEADER:
        raise InvalidTags(f"{size} bytes, at most {LARGEST_HEADER} are kept.")
    return tags


def _text(document: dict[str, Any], name: str, *, required: bool = False) -> str:
    value = document.get(name, "")
    if type(value) is str and len(value) <= LONGEST[name] and value.isprintable() and (value or not required):
        return value
    raise Refusal("invalid_request", f"`{name}` must be a text of 1 to {LONGEST[name]} characters.")


def _count(document: dict[str, Any], name: str) -> int:
    value = document.get(name)
    if isinstance(value, Number) and value.isdigit() and len(value) <= len(str(LARGEST_COUNT)):
        count = int(value)
        if count <= LARGEST_COUNT:
            return count
    raise Refusal("invalid_request", f"`{name}` must be a whole number from 0 to {LARGEST_COUNT}.")


def _source(document: dict[str, Any]) -> str:
    source = _text(document, "source") or "api"
    if source in OURS:
        raise Refusal("invalid_request", f"`source` cannot be {source!r}: name the program that made the call.")
    return source


def _identifier(key: Key, event_id: str) -> str:
    """The event's id: the caller's, so that the same call told twice is one event; else a fresh one."""
    if not event_id:
        return str(uuid_utils.uuid7())
    try:
        return str(uuid.UUID(event_id))
    except ValueError:
        return str(uuid.uuid5(uuid.UUID(key.workspace.id), event_id))


def _provider(model: str, key: Key, prices: RateCards, at: int) -> tuple[str, str, str]:
    """Slug, name in the price book, and model: as `openai/gpt-4.1` says, else the first provider that has a price."""
    slug, slash, rest = model.partition("/")
    if slash and rest and (named := _named(slug, key)) is not None:
        return named.slug, named.catalogue, rest
    own = {credential.slug: credential.provider for credential in key.credentials.values()}
    for provider in (providers.PROVIDERS | own).values():
        if prices.rate_card(provider.catalogue, model, _moment(at)) is not None:
            return provider.slug, provider.catalogue, model
    return OTHER, f"{OWN}{OTHER}", model


def _named(slug: str, key: Key) -> Provider | None:
    """A provider that we know, or a server of the workspace's own."""
    account = key.credentials.get(slug)
    return providers.find(slug) or (account.provider if account else None)


def _money(
    document: dict[str, Any], seller: str, model: str, usage: Usage, prices: RateCards, at: int
) -> dict[str, Any]:
    if "cost_usd" in document:
        return _priced(_cost(document["cost_usd"]), "declared", None)
    charge = charge_reading(prices, seller, Reading(usage), model, _moment(at))
    return _priced(charge.cost, charge.source, charge) if charge else _priced(None, "", None)


def _priced(cost: int | None, source: str, charge: Charge | None) -> dict[str, Any]:
    return {
        "cost": cost,
        "cost_source": source,
        "price_version": charge.version if charge else "",
        "lines": charge.texts() if charge else [],
        "provider_cost": None,
    }


def _cost(value: Any) -> int:
    try:
        cost = to_nano(Decimal(value)) if isinstance(value, str) else -1
    except (ArithmeticError, InvalidAmount):
        cost = -1
    if not 0 <= cost <= LARGEST_COST:
        raise Refusal("invalid_request", '`cost_usd` must be an amount of US dollars, such as 0.0042 or "0.0042".')
    return cost


def _moment(at: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(at / 1e6, dt.UTC)


def _facts(key: Key, tags: Tags, at: int) -> dict[str, Any]:
    return {
        "kind": "result",
        "at": at,
        "workspace": key.workspace.id,
        "day": key.workspace.day(at / 1e6),
        "client": tags.client if key.client is None else key.client,
        "key": key.id,
        "key_name": key.name,
        "credential": None,
        "endpoint": SLUG,
        "stream": False,
        "tags": tags.values,
        "test": False,
        "status": "ok",
        "http_status": 200,
        "estimated": False,
        "latency_ms": 0,
        "first_byte_ms": None,
        "flags": [],
    }
