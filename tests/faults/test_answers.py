"""Clients that leave and providers that break off: one event a call, and an estimate only where nobody could know."""

from __future__ import annotations

import pytest

from tests.faults.conftest import FULL, StartRun
from tests.faults.plans import BROKEN, BUSY, FAILED, MUTE, RESET, SILENT, TRUNCATED, WHOLE
from tests.faults.run import Run

SECONDS = 15 if FULL else 3
ENDS = {
    "provider resets the connection": [RESET],
    "provider's body is cut off": [TRUNCATED],
    "provider fails and is busy": [FAILED, BUSY],
    "provider goes silent": [SILENT, MUTE],
}
if not FULL:
    ENDS = {"provider breaks off, fails, is busy, goes silent": [end for ends in ENDS.values() for end in ends]}


def judge_ends(run: Run) -> None:
    """Judge a run in which the provider's own ends are the only reason for an estimate."""
    broken = {entry["id"] for entry in run.asked() if entry["end"] in BROKEN}
    run.row.faults = sum(entry["end"] != WHOLE for entry in run.asked())
    run.row.cut = len(broken)
    verdict = run.judge()
    assert verdict.estimated == broken
    assert not [entry for entry in run.seen() if entry["complete"] and entry["end"] != WHOLE]


@pytest.mark.faults
@pytest.mark.parametrize("name", ENDS)
def test_a_broken_answer_is_one_event(start_run: StartRun, name: str) -> None:
    run = start_run(name, streams=16, plain=4, seconds=(0.3, 1.5), ends=[*ENDS[name], WHOLE])
    with run:
        run.pause(SECONDS, SECONDS)
    judge_ends(run)
    whole = [entry for entry in run.seen() if entry["end"] == WHOLE]
    assert all(entry["complete"] for entry in whole)


@pytest.mark.faults
def test_a_client_that_leaves_pays_what_the_provider_reports(start_run: StartRun) -> None:
    run = start_run("half of the clients leave", streams=16, plain=4, seconds=(0.3, 1.5), leaving=0.5)
    with run:
        run.pause(SECONDS, SECONDS)
    verdict = run.judge()
    left = [entry for entry in run.seen() if entry["left"]]
    run.row.faults = len(left)
    assert left
    assert not verdict.estimated
