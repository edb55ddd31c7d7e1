"""The end of a month in six time zones, with streams under way across it: each call counts in the month it began in.

The clock of the gateway's processes is moved to shortly before an instant that was worked out by hand.
"""

from __future__ import annotations

import http.client
import time
import zoneinfo
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import uuid4

import psycopg
import pytest

from tests.faults import clock
from tests.faults.conftest import FULL, StartRun
from tests.faults.plans import Plan, request_body
from tests.faults.product import Product

BEFORE_SECONDS = 5
AFTER_SECONDS = 4
CAP = "0.03"
"""USD: what one call of the other key reserves, and a little more."""


class Boundary(NamedTuple):
    """A month's first instant, its last, and that of the next one, by the civil time of a place; all UTC."""

    zone: str
    first_day: int
    starts: str
    ends: str
    next_ends: str


BOUNDARIES = [
    # Midnight on 8 March is skipped: clocks go from 0:00 (UTC−5) to 1:00 (UTC−4).
    Boundary("America/Havana", 8, "2026-02-08T05:00", "2026-03-08T05:00", "2026-04-08T04:00"),
    # UTC+14; the month begins there while most of the world has the day before.
    Boundary("Pacific/Kiritimati", 1, "2026-05-31T10:00", "2026-06-30T10:00", "2026-07-31T10:00"),
    # UTC−3:30, in summer −2:30.
    Boundary("America/St_Johns", 1, "2026-10-01T02:30", "2026-11-01T02:30", "2026-12-01T03:30"),
    # UTC+5:45, and the end of a year.
    Boundary("Asia/Kathmandu", 1, "2026-11-30T18:15", "2026-12-31T18:15", "2027-01-31T18:15"),
    # Summer time since 29 March: the month is an hour short.
    Boundary("Europe/Berlin", 1, "2026-02-28T23:00", "2026-03-31T22:00", "2026-04-30T22:00"),
    # UTC+1, but UTC in Ramadan: from 15 February to 22 March 2026.
    Boundary("Africa/Casablanca", 1, "2026-01-31T23:00", "2026-03-01T00:00", "2026-03-31T23:00"),
]

pytestmark = pytest.mark.faults


NOTICE_SECONDS = 1.5
"""A change is with every gateway process a second later."""


def workspace_in(product: Product, provider: str, boundary: Boundary) -> dict[str, str]:
    """A workspace of that zone: a key under a large cap, and one whose cap a few calls use up."""
    made = product.key_for(provider, "--cap", "1000000", workspace=boundary.zone)
    small = product.key_for(provider, "--cap", CAP, workspace=boundary.zone)["api_key"]
    with psycopg.connect(product.ledger.place) as database:
        database.execute(
            "UPDATE tokonomics_workspace SET timezone = %s WHERE id = %s", [boundary.zone, made["workspace"]]
        )
        database.execute(
            "UPDATE metering_budget SET billing_day = %s WHERE workspace_id = %s",
            [boundary.first_day, made["workspace"]],
        )
    time.sleep(NOTICE_SECONDS)
    return {**made, "small": small}


def ask(product: Product, question: str, *values: Any) -> list[tuple[Any, ...]]:
    with psycopg.connect(product.ledger.place) as database:
        return database.execute(question.encode(), values).fetchall()


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def call(product: Product, key: str) -> tuple[int, str]:
    """One call that is answered at once: the status, and the code of a refusal."""
    body = request_body(Plan("", str(uuid4()), 1, 0, 1), model="gpt-4.1-mini", stream=False, ask_usage=False)
    with closing(http.client.HTTPConnection("127.0.0.1", product.port, timeout=30)) as client:
        headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
        client.request("POST", "/proxy/openai/chat/completions", body, headers)
        answer = client.getresponse()
        answer.read()
        return answer.status, answer.headers.get("x-metering-error", "")


def use_up(product: Product, key: str) -> None:
    """Call until the cap has no room for another call."""
    for _ in range(200):
        status, code = call(product, key)
        if code == "request_exceeds_budget":
            return
        assert status == 200, code
        product.until(lambda: product.ledger.reserved()[1] == 0)
    pytest.fail("the cap was never used up")


@pytest.mark.parametrize("boundary", BOUNDARIES if FULL else BOUNDARIES[:1], ids=lambda boundary: boundary.zone)
def test_calls_across_the_end_of_a_month(
    rigged: Product, provider: str, start_run: StartRun, boundary: Boundary
) -> None:
    made = workspace_in(rigged, provider, boundary)
    end = utc(boundary.ends)
    clock.move(rigged.rigging, (end - datetime.now(UTC)).total_seconds() - 3600)
    use_up(rigged, made["small"])
    clock.move(rigged.rigging, (end - datetime.now(UTC)).total_seconds() - BEFORE_SECONDS)
    crossing = time.monotonic() + BEFORE_SECONDS
    run = start_run(f"a month ends in {boundary.zone}", key=made["api_key"], seconds=(0.5, 3))
    with run:
        run.row.faults = 1
        assert call(rigged, made["small"])[1] == "request_exceeds_budget"
        time.sleep(max(0, crossing - time.monotonic()))
        assert call(rigged, made["small"])[0] == 200
        time.sleep(AFTER_SECONDS)
    verdict = run.judge()
    run.assert_unnoticed()
    assert not verdict.estimated
    assert_months(rigged, made["workspace"], run.orders.run, boundary)
    assert rigged.let_go_of_all()
    assert rigged.agrees()
    clock.move(rigged.rigging, 0)


def assert_months(product: Product, workspace: str, run: str, boundary: Boundary) -> None:
    """Both months have the sums of their own calls, none is lost between them, and days are those of the place."""
    end = utc(boundary.ends)
    events = ask(product, "SELECT admitted_at, latency_ms, day, cost FROM usage_event WHERE tags->>'run' = %s", run)
    old = sum(cost for at, _, _, cost in events if at < end)
    new = sum(cost for at, _, _, cost in events if at >= end)
    assert old
    assert new
    assert any(at < end < at + timedelta(milliseconds=latency) for at, latency, _, _ in events)
    periods = ask(
        product,
        """SELECT p.starts_at, p.ends_at, p.settled, p.reserved FROM budget_period p
        JOIN metering_budget b ON b.id = p.budget_id WHERE b.workspace_id = %s AND b."limit" > 10^12 ORDER BY 1""",
        workspace,
    )
    assert periods == [(utc(boundary.starts), end, old, 0), (end, utc(boundary.next_ends), new, 0)]
    zone = zoneinfo.ZoneInfo(boundary.zone)
    assert all(day == at.astimezone(zone).date() for at, _, day, _ in events)
    [(whole,)] = ask(product, "SELECT sum(cost)::bigint FROM daily_usage WHERE workspace_id = %s", workspace)
    [(settled,)] = ask(product, "SELECT sum(settled)::bigint FROM budget_period WHERE workspace_id = %s", workspace)
    assert whole == settled
