"""The price book as a gateway process keeps it: one for all workspaces, and one for each that has rules of its own.

Read from PostgreSQL with the keys, and again whenever a notice says that something was added to it. While PostgreSQL is
away the prices stay as they are.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import zlib
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

from billing import litellm, price_files
from billing.book import Dated, Lists, PriceBook
from billing.cards import BEGINNING, END
from billing.catalogue import Catalogue
from billing.price_files import BadPriceFile
from billing.rules import Rule

if TYPE_CHECKING:
    from collections.abc import Iterable

    import psycopg

    from billing.listing import PriceSource

    Rows = list[tuple[Any, ...]]

NOTICE = "prices"
"""What a notice says where the prices of all workspaces have changed (migration 0002 of billing)."""
SECOND = "litellm"

# What begins or ends in the past counts from the moment on at which it was laid down: no call that runs meanwhile gets
# another price than the one that was reserved for it. Calls that are over get theirs by a re-pricing run.
LISTS = """
SELECT id::text, source, GREATEST(starts_at, created_at) FROM billing_pricelist
ORDER BY GREATEST(starts_at, created_at), created_at
"""
CONTENT = "SELECT source, version, content FROM billing_pricelist WHERE id = %s"
_RULES = """
SELECT r.id::text, COALESCE(r.workspace_id::text, ''), r.kind, r.provider, r.model,
       GREATEST(r.starts_at, r.created_at), ended.at,
       r.tier, r.prices, r.percent, r.to_provider, r.to_model
FROM billing_pricerule r
CROSS JOIN LATERAL (
    SELECT LEAST(r.ends_at, min(GREATEST(e.ends_at, e.created_at))) AS at
    FROM billing_priceruleend e WHERE e.rule_id = r.id
) ended
WHERE {} AND (ended.at IS NULL OR ended.at > now() - interval '1 day')
ORDER BY r.id
"""
COMMON_RULES = _RULES.format("r.workspace_id IS NULL")
RULES = _RULES.format("r.workspace_id = ANY(%s::uuid[])")

logger = logging.getLogger(__name__)


class Prices:
    """The price books of one process. `book` is the one of every workspace without rules, and never replaced."""

    def __init__(self) -> None:
        self._built_in = Dated(BEGINNING, Catalogue())
        self.book = PriceBook(Lists([self._built_in]))
        self.loaded = False
        self._versions: dict[str, PriceSource | None] = {}
        self._common: tuple[Rows, tuple[Rule, ...]] = ([], ())
        self._own: dict[str, tuple[tuple[Rule, ...], PriceBook]] = {}

    async def load(self, connection: psycopg.AsyncConnection[Any]) -> None:
        """Read the lists and the rules for all workspaces; the books keep their cards where nothing has changed."""
        lists = await (await connection.execute(LISTS)).fetchall()
        rules = rules_of(await (await connection.execute(COMMON_RULES)).fetchall())
        for row, *_ in lists:
            if row not in self._versions:
                self._versions[row] = await _version(connection, row)
        if (lists, rules) != self._common:
            self._common = (lists, rules)
            self.book.replace(self._lists(lists), rules)
        self.loaded = True

    def of(self, workspace: str, rules: tuple[Rule, ...]) -> PriceBook | None:
        """The book of a workspace with these rules of its own; None: it shares the common one."""
        if not rules:
            self._own.pop(workspace, None)
            return None
        known = self._own.get(workspace)
        if known is None or known[0] != rules:
            known = self._own[workspace] = (rules, self.book.for_workspace(rules))
        return known[1]

    def _lists(self, rows: Rows) -> Lists:
        usable = [(source, starts, self._versions[row]) for row, source, starts in rows]
        dated = [(source, Dated(starts, version)) for source, starts, version in usable if version is not None]
        first = [version for source, version in dated if source != SECOND]
        return Lists([self._built_in, *first], [version for source, version in dated if source == SECOND])


async def _version(connection: psycopg.AsyncConnection[Any], row: str) -> PriceSource | None:
    """A price list, parsed; None for one that cannot be read, which the log then tells."""
    found = await (await connection.execute(CONTENT, [row])).fetchone()
    assert found is not None  # rows are never deleted
    source, version, content = found
    read = litellm.SecondSource if source == SECOND else price_files.catalogue
    try:
        return await asyncio.to_thread(lambda: read(zlib.decompress(content), version))
    except (BadPriceFile, zlib.error) as error:
        logger.error("The price list %s %s cannot be read and is not used: %s", source, version, error)  # noqa: TRY400
        return None


def rules_of(rows: Iterable[tuple[Any, ...]]) -> tuple[Rule, ...]:
    """Rows of RULES as the price book takes them."""
    return tuple(_rule(RuleRow(*row)) for row in rows)


class RuleRow(NamedTuple):
    """A row of billing_pricerule with its end, by all that was said about it."""

    id: str
    workspace: str
    kind: str
    provider: str
    model: str
    starts: dt.datetime
    ends: dt.datetime | None
    tier: str
    prices: dict[str, str]
    percent: Decimal | None
    to_provider: str
    to_model: str


def _rule(row: RuleRow) -> Rule:
    values = row._asdict()
    values["ends"] = row.ends or END
    values["prices"] = tuple((key, Decimal(price)) for key, price in row.prices.items())
    values["percent"] = row.percent or Decimal(0)
    return Rule(**values)
