"""Faults while calls are under a cap: what cannot be checked is refused, what was let in ends, nothing stays held."""

from __future__ import annotations

import statistics
from typing import Any

import pytest

from tests.faults import strikes
from tests.faults.conftest import FULL, StartRun, findings
from tests.faults.product import Product
from tests.faults.run import Run
from tests.faults.strikes import Strike
from tests.faults.test_kills import struck

REFUSED = (503, "budget_unavailable")
TIMES = 5 if FULL else 1
SECONDS = 10 if FULL else 3
CUTTING: dict[str, Strike] = {"kill -9 of one gateway process": strikes.one_worker}
STORES: dict[str, Strike] = {f"PostgreSQL away for {SECONDS} s": strikes.away("postgres", SECONDS)}
if FULL:
    CUTTING["kill -9 of everything at once"] = strikes.everything
    STORES |= {
        f"every budget locked for {SECONDS} s": strikes.locked_budgets(SECONDS),
        f"PostgreSQL frozen for {SECONDS} s": strikes.still("postgres", SECONDS),
        "kill -9 of PostgreSQL": strikes.postgres,
        "kill -9 of the recorder": strikes.recorder,
        "Redis away for 3 s": strikes.away("redis", 3),
    }
UNFELT = {"kill -9 of the recorder", "Redis away for 3 s"}

pytestmark = pytest.mark.faults


def refused(run: Run) -> list[dict[str, Any]]:
    """The calls that were refused since the cap could not be checked, or the call not recorded."""
    return [entry for entry in run.seen() if (entry["status"], entry["error"]) == REFUSED]


def assert_whole_or_refused(run: Run) -> None:
    """Every call was answered to its end, or not let in."""
    whole = [entry for entry in run.seen() if entry["complete"]]
    assert len(whole) + len(refused(run)) == len(run.seen())


def tell(run: Run) -> None:
    """Add to the findings how soon calls were refused."""
    times = sorted(1000 * (entry["ended"] - entry["began"]) for entry in refused(run))
    if times:
        middle, slowest = statistics.median(times), times[-1]
        findings.append(
            f"{run.row.name}: {len(times)} calls refused, half within {middle:.0f} ms, all within {slowest:.0f} ms."
        )


@pytest.mark.parametrize("name", CUTTING)
def test_a_kill_leaves_nothing_reserved(product: Product, capped_key: str, start_run: StartRun, name: str) -> None:
    run = start_run(f"{name}, under a cap", key=capped_key, seconds=(0.5, 2))
    struck(run, CUTTING[name], TIMES)
    assert product.let_go_of_all()
    assert product.agrees()


@pytest.mark.parametrize("name", STORES)
def test_without_its_ledger_no_cap_is_guessed_at(
    product: Product, capped_key: str, start_run: StartRun, name: str
) -> None:
    run = start_run(f"{name}, under a cap", key=capped_key, seconds=(0.5, 2))
    struck(run, STORES[name], 1)
    assert_whole_or_refused(run)
    assert not run.row.verdict.estimated
    assert bool(refused(run)) is (name not in UNFELT) or name == "kill -9 of PostgreSQL"
    tell(run)
    assert product.let_go_of_all()
    assert product.agrees()


@pytest.mark.skipif(not FULL, reason="part of `make faults`")
def test_calls_without_a_cap_go_on_while_budgets_are_locked(
    product: Product, capped_key: str, start_run: StartRun
) -> None:
    run = start_run(f"every budget locked for {SECONDS} s, no cap", seconds=(0.5, 2))
    struck(run, strikes.locked_budgets(SECONDS), 1)
    run.assert_unnoticed()
