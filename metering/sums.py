"""Sums over the daily rollups: the one way that pages, API and CSV totals read money and tokens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from decimal import Decimal
from typing import Any, Self

from django.db.models import Q, QuerySet, Sum
from django.db.models.functions import Coalesce


@dataclass(frozen=True, slots=True)
class Sums:
    """What calls add up to. Tokens are inclusive (input holds what came from a cache, output holds reasoning).

    `cost` is in nano-USD and exact; the `unpriced` calls add nothing to it.
    """

    calls: int = 0
    errors: int = 0
    unpriced: int = 0
    estimated: int = 0
    input_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    cost: int = 0

    @property
    def tokens(self) -> int:
        """Input and output together."""
        return self.input_tokens + self.output_tokens

    @property
    def estimated_share(self) -> Decimal:
        """The estimated calls as a share of all, from 0 to 1."""
        return Decimal(self.estimated) / self.calls if self.calls else Decimal(0)

    def __add__(self, other: Sums) -> Sums:
        return Sums(*(getattr(self, name) + getattr(other, name) for name in FIELDS))

    def __sub__(self, other: Sums) -> Sums:
        return Sums(*(getattr(self, name) - getattr(other, name) for name in FIELDS))

    @classmethod
    def of(cls, row: Mapping[str, Any], prefix: str = "sum_") -> Self:
        """From a row that `aggregates` made with the same prefix."""
        return cls(**{name: int(row[prefix + name]) for name in FIELDS})


FIELDS = tuple(field.name for field in fields(Sums))


def aggregates(where: Q | None = None, prefix: str = "sum_") -> dict[str, Coalesce]:
    """The annotations from which `Sums.of` reads, over all rows or those `where` keeps."""
    return {prefix + name: Coalesce(Sum(name, filter=where), 0) for name in FIELDS}


def total(rows: QuerySet[Any, Any]) -> Sums:
    """The sums of all rows (one query)."""
    return Sums.of(rows.aggregate(**aggregates()))


def grouped(rows: QuerySet[Any, Any], *names: str, limit: int | None = None) -> list[tuple[dict[str, Any], Sums]]:
    """The sums of each combination of the named columns (one query), the dearest first and at most `limit`."""
    found = rows.values(*names).annotate(**aggregates()).order_by("-sum_cost", "-sum_calls", *names)
    return [({name: row[name] for name in names}, Sums.of(row)) for row in found[:limit]]
