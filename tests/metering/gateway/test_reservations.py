"""Reservations against PostgreSQL: all budgets or none, no cap passed under any concurrency, nothing leaks."""

from __future__ import annotations

import asyncio
import datetime as dt
import socket
from collections.abc import Awaitable, Callable
from contextlib import closing
from functools import partial
from typing import Any

import psycopg
import pytest
from uuid_utils.compat import uuid7

from metering.gateway import reservations as module
from metering.gateway.caps import Cap, CapRow, Caps
from metering.gateway.reservations import Hold, Reservations, Verdict
from metering.models import Budget, BudgetPeriod, Client, GatewayProcess, Reservation
from tests import factories
from tests.ledger import event, record
from tests.metering.gateway.test_directory import parameters
from tokonomics.models import Workspace

NOW = dt.datetime(2026, 6, 10, tzinfo=dt.UTC)
JUNE = (dt.datetime(2026, 6, 1, tzinfo=dt.UTC), dt.datetime(2026, 7, 1, tzinfo=dt.UTC))
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def workspace() -> Workspace:
    return factories.WorkspaceFactory.create()


def budget(workspace: Workspace, limit: int, **fields: Any) -> Budget:
    return Budget.objects.create(workspace=workspace, limit=limit, hard=fields.pop("hard", True), **fields)


def cap(budget: Budget) -> Cap:
    return Cap(CapRow(str(budget.workspace_id), str(budget.pk), None, None, "UTC", budget.billing_day, None, None))


def hold(workspace: Workspace, amount: int, *budgets: Budget, moment: dt.datetime = NOW) -> Hold:
    return Hold(
        str(uuid7()), str(workspace.pk), moment, amount, [cap(budget) for budget in budgets], '{"kind":"intent"}'
    )


def run(test: Callable[[Reservations], Awaitable[None]], **changes: Any) -> None:
    async def whole() -> None:
        reservations = Reservations({**parameters(), **changes}, str(uuid7()))
        try:
            await test(reservations)
        finally:
            reservations.close()

    asyncio.run(whole())


async def ask(reservations: Reservations, *holds: Hold) -> list[Verdict | None]:
    """The verdicts of holds that are asked for at once."""
    loop = asyncio.get_running_loop()
    futures: list[asyncio.Future[Verdict | None]] = [loop.create_future() for _ in holds]
    for wanted, future in zip(holds, futures, strict=True):
        reservations.reserve(wanted, future.set_result)
    return await asyncio.gather(*futures)


def codes(verdicts: list[Verdict | None]) -> list[str]:
    return [verdict.code if verdict else "unavailable" for verdict in verdicts]


def test_each_refusal_has_its_reason(workspace: Workspace) -> None:
    limited = budget(workspace, 100)

    async def test(reservations: Reservations) -> None:
        asked = [hold(workspace, amount, limited) for amount in (60, 60, 101, 40)]
        verdicts = await ask(reservations, *asked)
        assert codes(verdicts) == ["admitted", "budget_reserved", "request_exceeds_budget", "admitted"]
        last = verdicts[-1]
        assert last is not None
        assert (last.limit, last.settled, last.reserved, last.left, last.resets) == (100, 0, 100, 0, JUNE[1])

    run(test)
    period = BudgetPeriod.objects.get()
    assert (period.starts_at, period.ends_at, period.settled, period.reserved) == (*JUNE, 0, 100)
    assert sorted(Reservation.objects.values_list("amount", flat=True)) == [40, 60]


def test_used_up_cap_is_exhausted(workspace: Workspace) -> None:
    limited = budget(workspace, 100)
    BudgetPeriod.objects.create(
        budget_id=limited.pk, workspace_id=workspace.pk, starts_at=JUNE[0], ends_at=JUNE[1], settled=100, reserved=0
    )

    async def test(reservations: Reservations) -> None:
        assert codes(await ask(reservations, hold(workspace, 0, limited))) == ["budget_exhausted"]

    run(test)


def test_all_budgets_or_none(workspace: Workspace) -> None:
    whole = budget(workspace, 1000)
    client = budget(workspace, 50, client=Client.objects.create(workspace=workspace, slug="acme", name="Acme"))

    async def test(reservations: Reservations) -> None:
        verdicts = await ask(reservations, hold(workspace, 60, whole, client), hold(workspace, 30, whole, client))
        assert codes(verdicts) == ["request_exceeds_budget", "admitted"]
        assert verdicts[1] is not None
        assert verdicts[1].cap.id == str(client.pk)

    run(test)
    assert set(BudgetPeriod.objects.values_list("budget_id", "reserved")) == {(whole.pk, 30), (client.pk, 30)}


@pytest.mark.parametrize("processes", [1, 4])
def test_no_cap_is_passed_by_many_at_once(workspace: Workspace, processes: int) -> None:
    limited = budget(workspace, 1000)
    outcome: list[str] = []

    async def one() -> None:
        reservations = Reservations(parameters(), str(uuid7()))
        for _ in range(4):
            outcome.extend(codes(await ask(reservations, *(hold(workspace, 7, limited) for _ in range(16)))))
        reservations.close()

    async def all_of_them() -> None:
        await asyncio.gather(*(one() for _ in range(processes)))

    asyncio.run(all_of_them())
    assert outcome.count("admitted") == min(64 * processes, 1000 // 7)
    assert BudgetPeriod.objects.get().reserved == 7 * outcome.count("admitted")


def test_raise_counts_while_it_lasts_and_a_lower_limit_at_once(workspace: Workspace) -> None:
    later, earlier = dt.datetime(2100, 1, 1, tzinfo=dt.UTC), dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    limited = budget(workspace, 100, raised_by=50, raised_until=later)

    async def test(reservations: Reservations) -> None:
        assert codes(await ask(reservations, hold(workspace, 150, limited))) == ["admitted"]

    run(test)
    for fields, code in (
        ({"raised_until": earlier}, "request_exceeds_budget"),
        ({"limit": 0}, "budget_exhausted"),
        ({"hard": False}, "admitted"),
    ):
        Budget.objects.filter(pk=limited.pk).update(**fields)
        Reservation.objects.all().delete()
        BudgetPeriod.objects.update(reserved=0)

        async def again(reservations: Reservations, code: str = code) -> None:
            assert codes(await ask(reservations, hold(workspace, 101, limited))) == [code]

        run(again)


def test_released_call_gives_everything_back(workspace: Workspace) -> None:
    limited = budget(workspace, 100)

    async def test(reservations: Reservations) -> None:
        wanted = hold(workspace, 100, limited)
        await ask(reservations, wanted)
        reservations.release(wanted.call)
        keeping_up = asyncio.create_task(reservations.keep_up())
        for _ in range(100):
            if codes(await ask(reservations, hold(workspace, 0, limited))) == ["admitted"]:
                verdicts = await ask(reservations, hold(workspace, 100, limited))
                if codes(verdicts) == ["admitted"]:
                    break
            await asyncio.sleep(0.02)
        else:
            pytest.fail("nothing was given back")
        keeping_up.cancel()

    run(test)
    assert GatewayProcess.objects.count() == 1


def test_without_the_database_the_answer_is_at_once(workspace: Workspace) -> None:
    limited = budget(workspace, 100)

    async def test(reservations: Reservations) -> None:
        assert codes(await ask(reservations, *[hold(workspace, 1, limited)] * 3)) == ["unavailable"] * 3
        told: list[Any] = []
        reservations.reserve(hold(workspace, 1, limited), told.append)
        assert told == [None]

    run(test, host="127.0.0.1", port=1)


def test_a_call_that_stumbles_keeps_the_verdict_from_no_other(
    workspace: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    limited = budget(workspace, 100)

    def stumble(verdict: object) -> None:
        raise RuntimeError("a bug")

    async def test(reservations: Reservations) -> None:
        reservations.reserve(hold(workspace, 1, limited), stumble)
        assert codes(await ask(reservations, hold(workspace, 1, limited))) == ["admitted"]

    run(test)
    assert "this is a bug" in caplog.text


def test_a_restart_of_the_database_refuses_nobody(workspace: Workspace) -> None:
    limited = budget(workspace, 100)

    async def test(reservations: Reservations) -> None:
        assert codes(await ask(reservations, hold(workspace, 10, limited))) == ["admitted"]
        assert reservations.connection is not None
        async with await psycopg.AsyncConnection.connect(**parameters()) as other:
            await other.execute("SELECT pg_terminate_backend(%s)", [reservations.connection.info.backend_pid])
        assert codes(await ask(reservations, hold(workspace, 10, limited))) == ["admitted"]

    run(test)
    assert BudgetPeriod.objects.get().reserved == 20


def test_a_silent_database_is_waited_for_once(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "QUERY_SECONDS", 0.2)
    monkeypatch.setattr(module, "PAUSE_SECONDS", 0.02)
    limited = budget(workspace, 100)

    async def test(reservations: Reservations, silent: socket.socket) -> None:
        answering = reservations.parameters
        reservations.parameters = answering | {"host": "127.0.0.1", "port": silent.getsockname()[1]}
        assert codes(await ask(reservations, hold(workspace, 1, limited))) == ["unavailable"]
        told: list[Any] = []
        reservations.reserve(hold(workspace, 1, limited), told.append)
        assert told == [None]
        reservations.parameters = answering
        keeping_up = asyncio.create_task(reservations.keep_up())
        async with asyncio.timeout(20):
            while reservations.away:  # noqa: ASYNC110 -- nothing tells of its end
                await asyncio.sleep(0.01)
        assert codes(await ask(reservations, hold(workspace, 100, limited))) == ["admitted"]
        keeping_up.cancel()

    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        run(partial(test, silent=silent))


def test_a_locked_period_refuses_its_calls_alone(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "OPTIONS", "-c lock_timeout=100ms")
    locked, free = budget(workspace, 100), budget(factories.WorkspaceFactory.create(), 100)

    async def test(reservations: Reservations) -> None:
        assert codes(await ask(reservations, hold(workspace, 1, locked))) == ["admitted"]
        async with await psycopg.AsyncConnection.connect(**parameters()) as other:
            await other.execute("SELECT FROM budget_period FOR UPDATE")
            assert codes(await ask(reservations, hold(workspace, 1, locked))) == ["unavailable"]
            assert codes(await ask(reservations, hold(free.workspace, 1, free))) == ["admitted"]
        assert codes(await ask(reservations, hold(workspace, 99, locked))) == ["admitted"]

    run(test)


def test_month_that_is_opened_late_knows_what_was_spent(workspace: Workspace) -> None:
    record(event(workspace, cost=70, admitted_at=NOW), event(workspace, cost=5000, admitted_at=JUNE[1]))
    limited = budget(workspace, 100)

    async def test(reservations: Reservations) -> None:
        assert codes(await ask(reservations, hold(workspace, 31, limited))) == ["request_exceeds_budget"]

    run(test)
    assert BudgetPeriod.objects.get().settled == 70


def test_changed_zone_begins_with_the_next_month() -> None:
    row = CapRow("w", "b", None, None, "Asia/Tokyo", 1, *JUNE)
    moved = Cap(row)
    assert moved.period(NOW) == JUNE
    july = dt.datetime(2026, 7, 31, 15, tzinfo=dt.UTC)
    assert moved.period(JUNE[1]) == (JUNE[1], july)
    assert moved.period(july)[0] == july


def test_caps_of_a_call() -> None:
    rows = [
        CapRow("w", "1", "key", None, "UTC", 1, None, None),
        CapRow("w", "2", None, "acme", "UTC", 1, None, None),
        CapRow("w", "3", None, None, "UTC", 1, None, None),
    ]
    caps = Caps(rows)
    assert [found.id for found in caps.of("key", "acme")] == ["1", "2", "3"]
    assert [found.id for found in caps.of("other", "")] == ["3"]
