"""Restarts that were meant: no stream is cut, no call refused, nothing estimated."""

from __future__ import annotations

import signal

import psutil
import pytest

from tests.faults.conftest import FULL, StartRun
from tests.faults.product import Product
from tests.faults.stack import WORKERS

ROUNDS = 5 if FULL else 1
SECONDS = (10, 20) if FULL else (2, 4)


def replace(product: Product, worker: psutil.Process) -> int:
    """Tell one gateway process to end, and wait for its successor. Cuts off nothing."""
    before = set(product.workers())
    worker.send_signal(signal.SIGTERM)
    product.until(lambda: set(product.workers()) - before)
    return 0


def replace_all(product: Product) -> int:
    """Tell the master to renew all of its processes. Cuts off nothing."""
    before = set(product.workers())
    master = product.master()
    assert master is not None
    master.send_signal(signal.SIGHUP)
    product.until(lambda: len(set(product.workers()) - before) >= WORKERS)
    return 0


@pytest.mark.faults
def test_a_rolling_restart_cuts_no_stream(product: Product, start_run: StartRun) -> None:
    run = start_run(
        "rolling restart, streams of 20 s" if FULL else "rolling restart", seconds=SECONDS, keep_alive=False
    )
    before = product.workers()
    with run:
        for _ in range(ROUNDS):
            for worker in product.workers()[-2:]:
                run.strike(lambda running, worker=worker: replace(running, worker))  # type: ignore[misc]
                run.pause(0.5, 1)
        run.strike(replace_all)
    verdict = run.judge()
    run.assert_unnoticed()
    assert not verdict.estimated
    assert not psutil.wait_procs(before, 0)[1]
    product.until(lambda: len(product.workers()) == WORKERS)
