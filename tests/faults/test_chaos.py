"""Faults of every kind at random, while clients leave and the provider breaks off: what the other tests keep apart."""

from __future__ import annotations

import pytest

from tests.faults import strikes
from tests.faults.conftest import FULL, StartRun
from tests.faults.plans import BROKEN, RESET, TRUNCATED, WHOLE
from tests.faults.product import Product
from tests.faults.strikes import Strike
from tests.faults.test_restarts import replace_all

TIMES = 15
FAULTS: list[Strike] = [
    strikes.one_worker,
    strikes.master,
    strikes.gateway,
    strikes.recorder,
    strikes.postgres,
    strikes.redis,
    strikes.everything,
    replace_all,
]


@pytest.mark.faults
@pytest.mark.skipif(not FULL, reason="part of `make faults`")
def test_all_faults_together_change_no_account(product: Product, start_run: StartRun) -> None:
    ends = [WHOLE, WHOLE, WHOLE, RESET, TRUNCATED]
    run = start_run("all of these at random, clients leave", seconds=(0.5, 4), ends=ends, leaving=0.2)
    with run:
        for _ in range(TIMES):
            run.pause(0.1, 1)
            run.strike(run.random.choice(FAULTS))
    # A call whose client has left is not among the connections that a fault cuts, but may be under way.
    run.row.cut += sum(entry["end"] in BROKEN for entry in run.asked())
    run.row.cut += sum(entry["left"] for entry in run.seen())
    run.judge()
    assert product.agrees()
