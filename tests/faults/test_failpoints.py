"""Processes that die at named places on the way of a call, and of its lines into the ledger."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults import failpoints, strikes
from tests.faults.conftest import FULL, StartRun
from tests.faults.product import Product
from tests.faults.test_kills import struck

TIMES = 5 if FULL else 1
PLACES = [*failpoints.CALL, *failpoints.RECORDER]
if not FULL:
    PLACES = ["half of its result is written", "all is written, not committed"]

pytestmark = pytest.mark.faults


@pytest.fixture(autouse=True)
def _nothing_armed(rigged: Product) -> Iterator[None]:
    """A test that fails must not have the next one die."""
    yield
    for path in rigged.rigging.iterdir():
        if path.name != "clock":
            path.unlink()


@pytest.mark.parametrize("place", PLACES)
def test_death_at_a_place_changes_no_account(rigged: Product, capped_key: str, start_run: StartRun, place: str) -> None:
    run = start_run(f"kill -9 when {place}", key=capped_key, seconds=(0.3, 1.5), streams=10, plain=10)
    struck(run, strikes.at(place), TIMES)
    if place not in failpoints.CALL:
        run.assert_unnoticed()
    assert rigged.let_go_of_all()
    assert rigged.agrees()


@pytest.mark.skipif(not FULL, reason="part of `make faults`")
def test_death_of_the_recorder_while_it_adopts(rigged: Product, capped_key: str, start_run: StartRun) -> None:
    run = start_run(f"kill -9 when {failpoints.ADOPTING}", key=capped_key, seconds=(0.3, 1.5))
    struck(run, strikes.while_adopting, TIMES)
    assert rigged.let_go_of_all()
    assert rigged.agrees()
