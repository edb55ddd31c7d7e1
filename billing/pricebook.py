"""Laying down prices, discounts and aliases, and asking what a model costs.

A rule is written once: a change is a new rule, and an end is a row of its own. Every change reaches the gateways by
itself: a trigger of the tables tells them (migration 0002). Providers are named as the catalogue does, which
`seller_of` knows.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import F, Min, Q, QuerySet
from django.db.models.functions import Least
from django.utils import timezone

from billing.book import PriceBook
from billing.cards import END
from billing.decomposition import UNITS
from billing.listing import OWN
from billing.models import PriceRule, PriceRuleEnd
from billing.money import plain_text
from billing.price_lists import current_lists
from billing.rules import STANDARD, TIERS, Rule
from metering import providers
from tokonomics import audit
from tokonomics.audit import Actor
from tokonomics.models import Workspace

LARGEST_PRICE = Decimal(10) ** 9
MOST_DECIMALS = 12
MODEL_LENGTH = 256
NOTE_LENGTH = 200
TIER_NAMES = (STANDARD, *dict.fromkeys(TIERS.values()))


def seller_of(slug: str) -> str:
    """The provider of a route slug as the price book calls it: `x-ai` for xai, `own/vllm` for a custom server."""
    known = providers.find(slug)
    return known.catalogue if known and known.catalogue else f"{OWN}{slug}"


def add_price(
    *,
    workspace: Workspace | None,
    provider: str,
    model: str,
    prices: Mapping[str, Decimal],
    tier: str = "",
    starts_at: datetime | None = None,
    ends_at: datetime | None = None,
    note: str = "",
    actor: Actor | None,
) -> PriceRule:
    """Give a model (a name, or a pattern with *) unit prices: price key (`input_mtok`) → USD for the key's unit.

    A unit that is not given keeps its list price. Without a workspace the price is for all. `starts_at` is now by
    default and may lie in the past: calls that were priced stay as they are. Raises ValidationError, by field.
    """
    cleaned = {key: plain_text(_clean_price(key, price)) for key, price in prices.items()}
    if not cleaned:
        raise ValidationError({"prices": "Give at least one price."})
    order = {key: cleaned[key] for key in UNITS if key in cleaned}
    rule = PriceRule(workspace=workspace, kind=PriceRule.Kind.PRICE, provider=provider, model=model, prices=order)
    rule.tier = _clean_tier(tier)
    _clean_place(rule, named=True)
    _check_both_ways(rule, starts_at or timezone.now())
    return _lay_down(rule, starts_at, ends_at, note, actor)


def add_discount(
    *,
    workspace: Workspace | None,
    provider: str = "",
    model: str = "",
    percent: Decimal,
    starts_at: datetime | None = None,
    ends_at: datetime | None = None,
    note: str = "",
    actor: Actor | None,
) -> PriceRule:
    """Take so many percent off list prices, of all providers and models or of those named; below zero: a surcharge.

    Own prices are net and stay. Of several discounts the closest counts alone. Raises ValidationError, by field.
    """
    if not percent.is_finite() or not -100 <= percent <= 100 or percent == 0 or _decimals(percent) > 4:
        raise ValidationError({"percent": "Give a percentage up to 100, with at most four decimals; -10 is 10 % more."})
    rule = PriceRule(workspace=workspace, kind=PriceRule.Kind.DISCOUNT, provider=provider, model=model, percent=percent)
    _clean_place(rule, named=False)
    return _lay_down(rule, starts_at, ends_at, note, actor)


def add_alias(
    *,
    workspace: Workspace | None,
    provider: str,
    model: str,
    to_provider: str,
    to_model: str,
    starts_at: datetime | None = None,
    ends_at: datetime | None = None,
    note: str = "",
    actor: Actor | None,
) -> PriceRule:
    """Price a model (a deployment, a fine-tune, a server's own name) as another one that has a price.

    Raises ValidationError, by field.
    """
    rule = PriceRule(workspace=workspace, kind=PriceRule.Kind.ALIAS, provider=provider, model=model)
    rule.to_provider, rule.to_model = to_provider.strip(), to_model.strip()
    _clean_place(rule, named=True)
    if (rule.to_provider, rule.to_model.lower()) == (rule.provider, rule.model.lower()):
        raise ValidationError({"to_model": "A model cannot be priced as itself."})
    quote = book_of(workspace).quote(rule.to_provider, rule.to_model, starts_at or timezone.now())
    if quote.listing is None and not quote.units:
        raise ValidationError({"to_model": "This model has no price either: name one that has."})
    if quote.alias:
        raise ValidationError({"to_model": "This model is an alias itself: name the one that it is priced as."})
    return _lay_down(rule, starts_at, ends_at, note, actor)


@transaction.atomic
def end_rule(*, rule: PriceRule, ends_at: datetime | None = None, actor: Actor | None) -> PriceRuleEnd:
    """End a rule at a moment, now by default; one that ends at its start was never in force.

    Raises ValidationError for a rule that ends before that, and for an end before its start.
    """
    moment = ends_at or timezone.now()
    moment = max(moment, rule.starts_at) if ends_at is None else moment
    current = rules().get(pk=rule.pk)
    if moment < current.starts_at:
        raise ValidationError({"ends_at": "It cannot end before it starts."})
    if current.until is not None and current.until <= moment:
        raise ValidationError({"ends_at": "It ends earlier than that."})
    end = PriceRuleEnd(rule=rule, workspace=rule.workspace, ends_at=moment, made_by=_name(actor))
    end.save(force_insert=True)
    if rule.workspace:
        audit.record("ended", rule, workspace=rule.workspace, actor=actor, ends_at=moment.isoformat())
    return end


def rules() -> QuerySet[PriceRule, Any]:
    """All rules, each with `until`: when it ends, by all that was said about it; None: not."""
    return PriceRule.objects.annotate(until=Least(F("ends_at"), Min("ends__ends_at")))


def rules_of(workspace: Workspace) -> QuerySet[PriceRule, Any]:
    """The rules that concern a workspace, its own and those for all, newest first."""
    return rules().filter(workspace=workspace) | rules().filter(workspace=None)


def in_state(found: QuerySet[Any, Any], *, ended: bool) -> QuerySet[Any, Any]:
    """Of `rules()` those that are over by now, or the others, which hold or will."""
    now = timezone.now()
    return found.filter(until__lte=now) if ended else found.filter(Q(until=None) | Q(until__gt=now))


def book_of(workspace: Workspace | None) -> PriceBook:
    """The price book of a workspace as it stands now, or without one that of all; three queries."""
    book = PriceBook(current_lists(), [as_rule(row) for row in rules().filter(workspace=None)])
    if workspace is None:
        return book
    own = [as_rule(row) for row in rules().filter(workspace=workspace)]
    return book.for_workspace(own) if own else book


def as_rule(row: Any) -> Rule:
    """A row of `rules()` as the book takes it."""
    return Rule(
        id=str(row.pk),
        workspace=str(row.workspace_id or ""),
        kind=row.kind,
        provider=row.provider,
        model=row.model,
        starts=row.starts_at,
        ends=row.until or END,
        tier=row.tier,
        prices=tuple((key, Decimal(price)) for key, price in row.prices.items()),
        percent=row.percent or Decimal(0),
        to_provider=row.to_provider,
        to_model=row.to_model,
    )


@transaction.atomic
def _lay_down(
    rule: PriceRule, starts_at: datetime | None, ends_at: datetime | None, note: str, actor: Actor | None
) -> PriceRule:
    rule.starts_at, rule.ends_at = starts_at or timezone.now(), ends_at
    rule.note, rule.made_by = " ".join(note.split()), _name(actor)
    if rule.ends_at and rule.ends_at <= rule.starts_at:
        raise ValidationError({"ends_at": "It has to end after it starts."})
    if len(rule.note) > NOTE_LENGTH or not rule.note.isprintable():
        raise ValidationError({"note": f"Write at most {NOTE_LENGTH} characters."})
    rule.save(force_insert=True)
    if rule.workspace:
        audit.record("laid down", rule, workspace=rule.workspace, actor=actor, **_details(rule))
    return rule


def _details(rule: PriceRule) -> dict[str, Any]:
    said = {
        "prices_usd": rule.prices,
        "percent": None if rule.percent is None else plain_text(rule.percent),
        "priced_as": f"{rule.to_provider} {rule.to_model}".strip(),
        "tier": rule.tier,
        "note": rule.note,
        "ends_at": rule.ends_at.isoformat() if rule.ends_at else "",
    }
    return {"starts_at": rule.starts_at.isoformat()} | {name: value for name, value in said.items() if value}


def _clean_place(rule: PriceRule, *, named: bool) -> None:
    rule.provider, rule.model = rule.provider.strip(), rule.model.strip()
    if named and not rule.provider:
        raise ValidationError({"provider": "Name the provider."})
    if named and not rule.model:
        raise ValidationError({"model": "Name the model."})
    if len(rule.model) > MODEL_LENGTH or not rule.model.isprintable():
        raise ValidationError({"model": f"A model's name has at most {MODEL_LENGTH} characters."})
    if rule.model and not rule.model.strip("*"):
        raise ValidationError({"model": "A pattern needs more than a *, such as ft:gpt-4o-mini:*."})


def _clean_price(key: str, price: Decimal) -> Decimal:
    if key not in UNITS:
        raise ValidationError({"prices": f"There is no unit {key}: the units are {', '.join(UNITS)}."})
    if not price.is_finite() or not 0 <= price <= LARGEST_PRICE or _decimals(price) > MOST_DECIMALS:
        raise ValidationError(
            {key: f"Give a price from 0 to a billion dollars, with at most {MOST_DECIMALS} decimals."}
        )
    return price


def _clean_tier(tier: str) -> str:
    if tier and tier not in TIER_NAMES:
        raise ValidationError({"tier": f"The tiers are {', '.join(TIER_NAMES)}."})
    return tier


def _check_both_ways(rule: PriceRule, moment: datetime) -> None:
    """A model without a list price has its output free where only the input has a price: that must be meant."""
    asked = rule.prices.keys() & {"input_mtok", "output_mtok"}
    if len(asked) != 1 or book_of(rule.workspace).quote(rule.provider, rule.model, moment).units:
        return
    (missing,) = {"input_mtok", "output_mtok"} - asked
    raise ValidationError({missing: "This model has no list price: give this price too, 0 where it is free."})


def _decimals(number: Decimal) -> int:
    exponent = number.normalize().as_tuple().exponent
    return -exponent if isinstance(exponent, int) and exponent < 0 else 0


def _name(actor: Actor | None) -> str:
    return str(actor or "Tokonomics")[:254]
