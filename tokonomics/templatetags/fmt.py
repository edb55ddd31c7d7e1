"""Figures, times and addresses in templates. Money is nano-USD; times carry the zone in which they are to be read."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from urllib.parse import urlencode

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from billing.money import usd_text
from tokonomics import figures

register = template.Library()

register.filter("call_cost", figures.call)
register.filter("exact_cost", figures.exact)
register.filter("count", figures.count)
register.filter("percent", figures.percent)
register.filter("change", figures.change)
register.filter("duration", figures.duration)
register.filter("unit_price", figures.unit_price)
register.filter("day", figures.day_name)


@register.filter
def total(nano: int) -> SafeString:
    """A sum of calls to the cent, its exact value on hover."""
    return format_html('<span title="${}">{}</span>', usd_text(nano), figures.total(nano))


@register.filter
def cents(nano: int) -> str:
    """A sum of calls to the cent, as bare text."""
    return figures.total(nano)


@register.filter
def tokens(number: int) -> SafeString | str:
    """A count of tokens, exact on hover where it is shortened."""
    short, full = figures.tokens(number), figures.count(number)
    return short if short == full else format_html('<span title="{}">{}</span>', full, short)


@register.filter
def clock(value: datetime) -> SafeString:
    """`14:32:07` in the zone that the time carries; the date and UTC on hover."""
    return _time(value, f"{value:%H:%M:%S}")


@register.filter
def moment(value: datetime) -> SafeString:
    """`23 June, 14:32:07` in the zone that the time carries; UTC on hover."""
    return _time(value, f"{figures.day_name(value.date())}, {value:%H:%M:%S}")


@register.filter
def on_day(value: datetime) -> SafeString:
    """`1 July` in the zone that the time carries; the instant in UTC on hover."""
    return _time(value, figures.day_name(value.date()))


def _time(value: datetime, text: str) -> SafeString:
    utc = value.astimezone(UTC)
    title = f"{utc:%Y-%m-%d %H:%M:%S} UTC"
    return format_html('<time datetime="{}" title="{}">{}</time>', utc.isoformat(), title, text)


@register.filter
def query(pairs: Iterable[tuple[str, str]]) -> str:
    """Pairs as the query of an address."""
    return urlencode(list(pairs))


@register.filter
def tag_query(tag: str, value: str) -> str:
    """The query of an address that selects a tag's value."""
    return urlencode({f"tag.{tag}": value})
