"""kill -9 of each part of the product while 20 clients call: nothing lost, nothing doubled, nothing made up."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults import strikes
from tests.faults.conftest import FULL, StartRun
from tests.faults.product import Product
from tests.faults.run import Run
from tests.faults.strikes import Strike

TIMES = 10 if FULL else 1
LONG = 10
SECONDS = (1, 5) if FULL else (0.5, 1.5)

FELT: dict[str, Strike] = {
    "kill -9 of one gateway process": strikes.one_worker,
    "kill -9 of the gateway's master": strikes.master,
    "kill -9 of everything at once": strikes.everything,
}
UNFELT: dict[str, Strike] = {
    "kill -9 of the recorder": strikes.recorder,
    "kill -9 of PostgreSQL": strikes.postgres,
    "kill -9 of Redis": strikes.redis,
}
"""What no caller may notice."""
ABSENT: dict[str, Strike] = {}
SELDOM = 2
"""How often, in a full run, what takes long and leaves little to chance."""

if FULL:
    FELT["kill -9 of the whole gateway"] = strikes.gateway
    UNFELT["kill -9 of Redis, its data deleted"] = strikes.redis_and_its_data
    UNFELT["Redis flushed"] = strikes.flushed_redis
    for engine, title in {"postgres": "PostgreSQL", "redis": "Redis"}.items():
        ABSENT[f"{title} away for {LONG} s"] = strikes.away(engine, LONG)
        ABSENT[f"{title} frozen for {LONG} s"] = strikes.still(engine, LONG)


def struck(run: Run, fault: Strike, times: int) -> None:
    """Strike again and again while the clients call, and judge."""
    with run:
        for _ in range(times):
            run.pause(0.3, 1.5)
            run.strike(fault)
    run.judge()


@pytest.mark.faults
@pytest.mark.parametrize("name", FELT)
def test_a_kill_changes_no_account(product: Product, start_run: StartRun, name: str) -> None:
    struck(start_run(name, seconds=SECONDS), FELT[name], TIMES)
    assert product.agrees()


@pytest.mark.faults
@pytest.mark.parametrize("name", UNFELT | ABSENT)
def test_callers_do_not_notice(start_run: StartRun, name: str) -> None:
    run = start_run(name, seconds=SECONDS)
    struck(run, (UNFELT | ABSENT)[name], TIMES if name in UNFELT else SELDOM)
    run.assert_unnoticed()


@pytest.mark.faults
@pytest.mark.skipif(not FULL, reason="part of `make faults`")
def test_a_stop_lets_calls_end(start_run: StartRun) -> None:
    run = start_run("stop and start of everything", seconds=SECONDS)
    struck(run, strikes.stop_and_start, SELDOM)
    assert not run.row.verdict.estimated
    assert not [entry for entry in run.seen() if entry["status"] == 200 and not entry["complete"]]


@pytest.fixture
def synced(product: Product) -> Iterator[None]:
    """The product with a spool that waits for the disk."""
    product.restart(SPOOL_SYNC="1")
    yield
    product.restart(SPOOL_SYNC="0")


@pytest.mark.faults
@pytest.mark.skipif(not FULL, reason="part of `make faults`")
def test_a_kill_changes_no_account_with_a_synced_spool(synced: None, product: Product, start_run: StartRun) -> None:
    run = start_run("kill -9 of one gateway process, SPOOL_SYNC=1", seconds=SECONDS)
    struck(run, strikes.one_worker, TIMES)
    assert product.agrees()
