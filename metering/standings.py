"""How far the budgets of a workspace are used in the month that is open: what their pages, lists and answers show.

Money is in nano-USD, moments are UTC. A month is opened by whoever asks for it first, here as in the gateway; its sum
of the calls so far is PostgreSQL's own (migration 0006), so nothing here may run inside a read-only snapshot.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import connection
from django.db.models import Q

from metering.budgets import budgets_of
from metering.ledger import BudgetPeriod
from metering.meter import Meter, meter
from metering.models import ApiKey, Budget
from metering.months import budget_month

OK, NEAR, OVER, USED_UP, PAUSED = "ok", "near", "over", "used_up", "paused"
TONES = {OK: "ok", NEAR: "warn", OVER: "bad", USED_UP: "bad", PAUSED: "off"}
NEAR_FROM = Decimal("0.8")
"""The part of a limit from which on one is told that it comes to its end."""
TENTH = Decimal("0.1")

OPEN = """
SELECT open_budget_period(wanted.budget, wanted.starts, wanted.ends)
FROM unnest(%s::uuid[], %s::timestamptz[], %s::timestamptz[]) AS wanted (budget, starts, ends)
JOIN metering_budget b ON b.id = wanted.budget
ORDER BY workspace_lock(b.workspace_id)
"""
RUNNING = """
SELECT count(*) FROM reservation held, unnest(held.budgets, held.starts) AS part (budget, starts)
WHERE held.workspace_id = %s AND part.budget = %s AND part.starts = %s
"""


@dataclass(frozen=True, slots=True)
class Standing:
    """A budget in its month from `starts` up to `ends`, which are in its own time zone.

    `limit` is the one in force, `raised_by` the part of it that is a raise; `settled` is what the month's calls cost,
    `reserved` what running ones may still cost.
    """

    budget: Budget
    starts: datetime
    ends: datetime
    limit: int
    raised_by: int
    settled: int
    reserved: int

    @property
    def left(self) -> int:
        """What is not spent; running calls may hold some of it. Never below zero."""
        return max(self.limit - self.settled, 0)

    @property
    def free(self) -> int:
        """What a new call can have: neither spent nor reserved. Never below zero."""
        return max(self.limit - self.settled - self.reserved, 0)

    @property
    def excess(self) -> int:
        """What was spent beyond the limit."""
        return max(self.settled - self.limit, 0)

    @property
    def used(self) -> Decimal:
        """The part that is spent, rounded down to what a page prints, so that it says 100 % when that is so."""
        if not self.limit:
            return Decimal(1)
        ratio = Decimal(self.settled) / self.limit
        digits = Decimal("0.01") if ratio >= TENTH else Decimal("0.001")
        return ratio // digits * digits or ratio

    @property
    def state(self) -> str:
        """`ok`, `near` from 80 % on, `over` (a budget), `used_up` (a cap: calls are refused) or `paused`."""
        if self.budget.paused_at:
            return PAUSED
        if self.budget.hard and self.settled >= self.limit:
            return USED_UP
        if self.settled > self.limit:
            return OVER
        return NEAR if self.used >= NEAR_FROM else OK

    @property
    def noun(self) -> str:
        """`cap`, which stops calls, or `budget`, which only warns."""
        return "cap" if self.budget.hard else "budget"

    @property
    def tone(self) -> str:
        """How its state is coloured: `ok`, `warn`, `bad`, or `off` while it is paused."""
        return TONES[self.state]

    @property
    def meter(self) -> Meter:
        """Where the marks of its bar stand."""
        return meter(self.settled, self.reserved, self.limit)

    @property
    def pulse(self) -> str:
        """A text that changes with whatever is shown of it."""
        return f"{self.starts:%Y%m%d}-{self.limit}-{self.settled}-{self.reserved}-{self.state}"


def zone_of(budget: Budget) -> ZoneInfo:
    """The time zone that cuts a budget's months: its client's own, else the workspace's."""
    own = budget.client.timezone if budget.client else ""
    return ZoneInfo(own or budget.workspace.timezone)


def current(budgets: Iterable[Budget], moment: datetime) -> dict[UUID, Standing]:
    """The standing of each budget, by its id, in the month of `moment`, which is opened where nobody has done so.

    The budgets' workspaces and clients should be loaded (1 query, 3 where a month begins). One that is removed
    meanwhile is left out.
    """
    asked = list(budgets)
    last = _last_periods(asked)
    found, missing = {}, []
    for budget in asked:
        period = last.get(budget.pk)
        if period and period.starts_at <= moment < period.ends_at:
            found[budget.pk] = period
        else:
            bounds = (period.starts_at, period.ends_at) if period else None
            starts, ends = budget_month(moment, zone_of(budget), budget.billing_day, bounds)
            missing.append((budget.pk, starts, ends))
    if missing:
        found |= _opened(missing)
    return {budget.pk: _standing(budget, found[budget.pk], moment) for budget in asked if budget.pk in found}


def running_calls(standing: Standing) -> int:
    """How many calls hold a part of a budget (1 query, none where nothing is reserved)."""
    if not standing.reserved:
        return 0
    with connection.cursor() as cursor:
        starts = standing.starts
        cursor.execute(RUNNING, [standing.budget.workspace_id, standing.budget.pk, starts])
        return int(cursor.fetchall()[0][0])


def tightest(standings: Iterable[Standing]) -> Standing | None:
    """The one that holds calls back first: the least free of those that are not paused, else of those that are."""
    return min(standings, key=lambda found: (found.state == PAUSED, found.free), default=None)


def standing_of_key(key: ApiKey, moment: datetime) -> Standing | None:
    """The key's own budget, else the tightest of its client's and its workspace's; None: its calls have none."""
    meant = Q(key=key) | Q(key=None, client=None)
    if key.client_id:
        meant |= Q(client=key.client_id)
    found = current(budgets_of(key.workspace).filter(meant), moment).values()
    own = [standing for standing in found if standing.budget.key_id]
    return own[0] if own else tightest(found)


def _last_periods(budgets: Sequence[Budget]) -> dict[UUID, BudgetPeriod]:
    if not budgets:
        return {}
    periods = BudgetPeriod.objects.filter(budget_id__in=[budget.pk for budget in budgets])
    return {period.budget_id: period for period in periods.order_by("budget_id", "-starts_at").distinct("budget_id")}


def _opened(wanted: Sequence[tuple[UUID, datetime, datetime]]) -> dict[UUID, BudgetPeriod]:
    """Make months and read them (2 queries). Whoever else opened one first has cut it in the same way."""
    with connection.cursor() as cursor:
        cursor.execute(OPEN, [list(column) for column in zip(*wanted, strict=True)])
    periods = BudgetPeriod.objects.filter(pk__in=[(budget, starts) for budget, starts, _ in wanted])
    return {period.budget_id: period for period in periods}


def _standing(budget: Budget, period: BudgetPeriod, moment: datetime) -> Standing:
    zone = zone_of(budget)
    raised = budget.raised_by if budget.raised_until and budget.raised_until > moment else 0
    return Standing(
        budget=budget,
        starts=period.starts_at.astimezone(zone),
        ends=period.ends_at.astimezone(zone),
        limit=budget.limit + raised,
        raised_by=raised,
        settled=period.settled,
        reserved=period.reserved,
    )
