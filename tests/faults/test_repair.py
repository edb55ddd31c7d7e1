"""Sums that somebody has spoilt, made anew while calls go on: no call fails, and every sum is right in the end."""

from __future__ import annotations

import psycopg
import pytest

from tests.faults.conftest import FULL, StartRun
from tests.faults.product import Product
from tests.faults.test_kills import struck

TIMES = 5 if FULL else 1
DAMAGE = (
    "UPDATE daily_usage SET calls = calls + 7, cost = cost + 11",
    "DELETE FROM daily_tag_usage WHERE tag_key = 'client'",
    "UPDATE budget_period SET settled = settled + 13, reserved = reserved + 17",
)

pytestmark = pytest.mark.faults


def spoil_and_repair(product: Product) -> int:
    """Wrong sums everywhere, then `manage.py verify --repair`. Cuts off nothing."""
    with psycopg.connect(product.ledger.place) as database:
        for damage in DAMAGE:
            database.execute(damage.encode())
    told = product.manage("verify", "--repair")
    assert "rows differed and are made anew from the events" in told
    assert "budget" in told
    return 0


def test_sums_are_made_anew_while_calls_go_on(product: Product, capped_key: str, start_run: StartRun) -> None:
    run = start_run("sums spoilt, verify --repair, under a cap", key=capped_key, seconds=(0.5, 2))
    struck(run, spoil_and_repair, TIMES)
    run.assert_unnoticed()
    assert product.let_go_of_all()
    assert product.agrees()
