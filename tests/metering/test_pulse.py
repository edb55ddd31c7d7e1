from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from metering.periods import preset
from metering.pulse import last_call, pulse
from tests.ledger import NOON, event, record
from tokonomics.models import Workspace

TODAY = date(2026, 6, 23)
MONTH = preset("month", TODAY)


def test_it_changes_with_a_call_of_today_and_only_ours(workspace: Workspace, stranger: Workspace) -> None:
    record(event(workspace))
    before = pulse(workspace.id, MONTH, TODAY)
    record(event(stranger))
    assert pulse(workspace.id, MONTH, TODAY) == before
    record(event(workspace, cost=0, admitted_at=NOON - timedelta(hours=1)))
    assert pulse(workspace.id, MONTH, TODAY) != before


def test_it_can_be_of_one_client(workspace: Workspace) -> None:
    record(event(workspace))
    before = pulse(workspace.id, MONTH, TODAY, "acme-corp")
    record(event(workspace, client="other"))
    assert pulse(workspace.id, MONTH, TODAY, "acme-corp") == before
    record(event(workspace))
    assert pulse(workspace.id, MONTH, TODAY, "acme-corp") != before


def test_it_changes_with_the_day(workspace: Workspace) -> None:
    tomorrow = TODAY + timedelta(days=1)
    assert pulse(workspace.id, MONTH, TODAY) != pulse(workspace.id, preset("month", tomorrow), tomorrow)


def test_it_remembers_the_last_call(workspace: Workspace) -> None:
    moment = datetime(2026, 6, 23, 11, 22, 33, 444555, tzinfo=UTC)
    record(event(workspace, admitted_at=moment))
    assert last_call(pulse(workspace.id, MONTH, TODAY)) == moment


def test_a_pulse_without_calls_or_that_is_none() -> None:
    assert [last_call(text) for text in ("20260623-0-0-0", "", "x", "1-²", "1-99999999999999999999")] == [None] * 5
