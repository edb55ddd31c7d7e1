"""Filling a workspace with the demo's agency: accounts and keys as a person would make them, calls by the recorder."""

from __future__ import annotations

import datetime as dt
import tempfile
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

from django.db import connection, transaction
from django.db.models import Sum

from billing.catalogue import Catalogue
from billing.money import NANO, rounded, to_nano, usd
from metering.budgets import pause_budget, raise_budget, set_budget
from metering.clients import make_client
from metering.credentials import connect_provider
from metering.demo import cast
from metering.demo.calls import Caller, Calls
from metering.demo.cast import Customer, State
from metering.keys import mint_key
from metering.ledger import DailyUsage
from metering.models import ApiKey, Client
from metering.partitions import following, make_partitions
from metering.recorder import Recorder
from metering.records import encode
from metering.spooling import segment_path
from tokonomics.accounts import open_workspace
from tokonomics.models import User, Workspace

PROVIDERS = ("openai", "anthropic", "google", "mistral", "groq", "together")
RECORDING_SECONDS = 900
DIGITS = 2
"""Of a limit that a person chose."""
RAISE_DAYS = 14
WORKSPACE_SHARE = Decimal("0.71")
"""What this month has cost, of the workspace's own budget."""


def fill(user: User, now: dt.datetime) -> tuple[Workspace, int]:
    """Open the demo's workspace for a user, with months of calls until `now` (aware); also tells how many calls."""
    with transaction.atomic():
        workspace = open_workspace(name=cast.WORKSPACE, timezone=cast.TIME_ZONE, owner=user)
        callers = list(_callers(workspace, user))
    zone = ZoneInfo(cast.TIME_ZONE)
    first = first_day(now.astimezone(zone).date())
    count = _record(callers, first, now, zone)
    with transaction.atomic():
        _set_budgets(workspace, user, now)
    return workspace, count


def first_day(today: dt.date) -> dt.date:
    """Where the demo's months begin: this month and those before it make MONTHS."""
    months = today.year * 12 + today.month - cast.MONTHS
    return dt.date(months // 12, months % 12 + 1, 1)


def _callers(workspace: Workspace, user: User) -> Iterator[Caller]:
    credentials = {
        slug: str(connect_provider(workspace=workspace, slug=slug, secret=f"demo-{uuid4().hex}", actor=user).pk)
        for slug in PROVIDERS
    }
    shared = mint_key(workspace=workspace, name="shared backend", actor=user)[0]

    def caller(customer: Customer, slug: str, key: ApiKey) -> Caller:
        return Caller(str(workspace.pk), customer, slug, str(key.pk), f"{key.name} (mk_…{key.last_four})", credentials)

    for customer in cast.CUSTOMERS:
        client = make_client(workspace=workspace, name=customer.name, actor=user)
        key = mint_key(workspace=workspace, name=f"{customer.name} production", client=client, actor=user)[0]
        yield caller(customer, client.slug, key)
        if customer.name == cast.UNPRICED.name:
            yield caller(cast.UNPRICED, client.slug, key)
    yield caller(cast.UNATTRIBUTED, "", shared)
    yield caller(cast.UNCONFIRMED, cast.UNCONFIRMED.name, shared)


def _record(callers: list[Caller], first: dt.date, now: dt.datetime, zone: ZoneInfo) -> int:
    """Write a spool and have it recorded, as if a gateway had served all these calls; returns how many."""
    calls = Calls(Catalogue(), zone)
    count = 0
    with tempfile.TemporaryDirectory(prefix="tokonomics-demo-") as name:
        directory = Path(name)
        with segment_path(directory, str(uuid4()), 0).open("wb") as spool:
            for caller in callers:
                for record in calls.of(caller, first, now):
                    spool.write(encode(record))
                    count += 1
                if caller.customer.state is State.USED_UP:
                    spool.write(encode(calls.refusals(caller, now)))
        _make_months(first, now.date())
        recorder = Recorder(directory, _parameters())
        recorder.finish(RECORDING_SECONDS)
    return count


def _make_months(first: dt.date, last: dt.date) -> None:
    months = [first]
    while months[-1] < last:
        months.append(following(months[-1]))
    with transaction.atomic(), connection.cursor() as cursor:
        make_partitions(cursor, months)


def _parameters() -> dict[str, Any]:
    found = connection.get_connection_params()
    return {name: value for name, value in found.items() if name not in ("cursor_factory", "context")}


def _set_budgets(workspace: Workspace, user: User, now: dt.datetime) -> None:
    """Limits that put this month's spend where each budget's state wants it."""
    month = now.astimezone(ZoneInfo(workspace.timezone)).date().replace(day=1)
    days = DailyUsage.objects.filter(workspace_id=workspace.pk, day__gte=month)
    spent: dict[str, int] = dict(days.values_list("client").annotate(spent=Sum("cost")))
    clients = {client.name: client for client in Client.objects.filter(workspace=workspace)}
    for customer in cast.CUSTOMERS:
        if customer.state is not State.NONE:
            client = clients[customer.name]
            _set_budget(workspace, client, customer.state, spent.get(client.slug) or 0, user, now)
    limit = _limit(sum(spent.values()), WORKSPACE_SHARE)
    set_budget(workspace=workspace, limit=limit, hard=False, actor=user)


def _set_budget(workspace: Workspace, client: Client, state: State, spent: int, user: User, now: dt.datetime) -> None:
    # To the last nano-dollar: a cap is never passed, and less than one call must be left.
    limit = spent if state is State.USED_UP else _limit(spent, cast.SHARES[state])
    budget = set_budget(workspace=workspace, client=client, limit=limit, hard=state is not State.OVER, actor=user)
    if state is State.RAISED:
        raise_budget(
            budget=budget,
            amount=_limit(spent, Decimal(4)),
            until=now + dt.timedelta(days=RAISE_DAYS),
            reason="Product launch, agreed by e-mail",
            actor=user,
        )
    elif state is State.PAUSED:
        pause_budget(budget=budget, actor=user)


def _limit(spent: int, share: Decimal) -> int:
    """A limit in round dollars (nano-USD) of which `spent` is about `share`; never zero."""
    dollars = usd(spent) / share
    return max(to_nano(rounded(dollars, DIGITS - 1 - dollars.adjusted())), NANO // 100)
