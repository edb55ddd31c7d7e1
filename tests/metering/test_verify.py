"""`manage.py verify`: silent over a right ledger, plain about a wrong one."""

from __future__ import annotations

import threading
from datetime import UTC, date, datetime
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from metering.recorder import Recorder
from metering.snapshot import snapshot
from metering.verify import Scope, differences
from tests import ledger
from tests.factories import WorkspaceFactory
from tests.spooled import Process, intent, leave, parameters, record, result
from tokonomics.models import Workspace

pytestmark = pytest.mark.django_db


@pytest.fixture
def recorded(workspace: Workspace) -> Workspace:
    ledger.record(
        ledger.event(workspace),
        ledger.event(workspace, cost=None, status="provider_error", estimated=True),
        ledger.event(workspace, client="", tags={"project": "chatbot"}, cost=1),
        ledger.event(workspace, admitted_at=datetime(2026, 7, 2, 12, tzinfo=UTC)),
    )
    return workspace


def verify(*words: str) -> str:
    output = StringIO()
    call_command("verify", *words, stdout=output)
    return output.getvalue()


def change(query: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(query)


def found(*words: str) -> str:
    """What a failing run prints."""
    output = StringIO()
    with pytest.raises(CommandError, match="differ"):
        call_command("verify", *words, stdout=output)
    return output.getvalue()


def test_an_empty_ledger_is_right(workspace: Workspace) -> None:
    assert verify() == "Events and rollups agree: 0 calls, 0 USD, 0 rows of daily usage.\n"


def test_a_right_ledger_is_said_in_one_line(recorded: Workspace) -> None:
    assert verify() == "Events and rollups agree: 4 calls, 0.001440001 USD, 3 rows of daily usage.\n"


@pytest.mark.parametrize(
    "column",
    "calls errors unpriced estimated input_tokens cache_read_tokens cache_write_tokens output_tokens "
    "reasoning_tokens cost".split(),
)
@pytest.mark.parametrize("table", ["daily_usage", "daily_tag_usage"])
def test_any_sum_that_is_off_by_one_is_found(recorded: Workspace, table: str, column: str) -> None:
    change(f"UPDATE {table} SET {column} = {column} + 1 WHERE day = '2026-07-02'")
    (difference,) = differences(Scope())
    assert (difference.table, list(difference.columns)) == (table, [column])
    events, row = difference.columns[column]
    assert row == events + 1


def test_the_last_call_is_compared_too(recorded: Workspace) -> None:
    change("UPDATE daily_usage SET last_call_at = last_call_at + interval '1 microsecond' WHERE day = '2026-07-02'")
    assert "last_call_at is 2026-07-02 12:00:00.000001+00:00, its events say 2026-07-02 12:00:00+00:00" in found()


def test_a_difference_is_told_with_its_place_and_both_values(recorded: Workspace) -> None:
    change("UPDATE daily_usage SET cost = cost + 5 WHERE client = ''")
    assert found() == (
        f"daily_usage of workspace_id {recorded.pk}, day 2026-06-23, client (none), provider openai, "
        f"model gpt-4.1-mini, key_id {ledger.KEY}: cost is 6, its events say 1\n"
    )


def test_a_missing_row_is_told(recorded: Workspace) -> None:
    change("DELETE FROM daily_tag_usage WHERE tag_key = 'project'")
    assert found() == (
        f"daily_tag_usage of workspace_id {recorded.pk}, day 2026-06-23, tag_key project, tag_value chatbot: "
        "1 calls, but no row\n"
    )


def test_a_row_without_events_is_told(recorded: Workspace) -> None:
    change("UPDATE daily_usage SET model = 'gpt-9' WHERE client = ''")
    lines = found().splitlines()
    assert ["1 calls, but no row" in line for line in lines] == [True, False]
    assert "model gpt-9" in lines[1]
    assert lines[1].endswith("a row of 1 calls, but no events")


def test_a_value_may_not_hide_in_other_while_there_is_room(recorded: Workspace) -> None:
    change("UPDATE daily_tag_usage SET tag_value = 'other' WHERE tag_key = 'project'")
    assert [item.key["tag_value"] for item in differences(Scope())] == ["chatbot", "other"]


@pytest.mark.django_db(transaction=True)
def test_an_adjustment_is_no_call_but_its_cost_counts(workspace: Workspace, tmp_path: Path) -> None:
    called = intent(workspace)
    leave(tmp_path, called)
    record(tmp_path)
    leave(tmp_path, result(called, cost=60_000, usage={"input_tokens": 200}))
    record(tmp_path)
    assert verify() == "Events and rollups agree: 1 calls, 0.00006 USD, 1 rows of daily usage.\n"


def test_one_workspace_can_be_looked_at(recorded: Workspace) -> None:
    stranger = WorkspaceFactory.create()
    ledger.record(ledger.event(stranger))
    change(f"UPDATE daily_usage SET cost = 0 WHERE workspace_id = '{stranger.pk}'")
    assert verify("--workspace", str(recorded.pk)).startswith("Events and rollups agree: 4 calls, ")
    assert str(stranger.pk) in found("--workspace", str(stranger.pk))


def test_earlier_days_can_be_left_out(recorded: Workspace) -> None:
    change("UPDATE daily_usage SET cost = cost + 1 WHERE day = '2026-06-23' AND client = ''")
    assert verify("--since", "2026-06-24").startswith("Events and rollups agree: 1 calls, 0.00072 USD")
    assert "day 2026-06-23" in found("--since", "2026-06-23")


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Pago_Pago"])
def test_the_first_day_counts_whole_wherever_it_begins(zone: str) -> None:
    """A day begins 14 hours before UTC's on Kiritimati, 11 hours after it in Pago Pago."""
    workspace = WorkspaceFactory.create(timezone=zone)
    moments = [datetime(2026, 6, day, hour, tzinfo=UTC) for day in range(20, 25) for hour in range(24)]
    ledger.record(*(ledger.event(workspace, admitted_at=moment) for moment in moments))
    assert verify("--since", "2026-06-22").startswith("Events and rollups agree: ")
    assert not list(differences(Scope(date(2026, 6, 22), workspace.pk)))


@pytest.mark.parametrize(
    ("words", "problem"),
    [(["--since", "yesterday"], "write it as 2026-11-25"), (["--workspace", "acme"], "is not the id of a workspace")],
)
def test_a_wrong_argument_is_told(words: list[str], problem: str) -> None:
    with pytest.raises(CommandError, match=problem):
        verify(*words)


@pytest.mark.django_db(transaction=True)
def test_it_is_exact_while_calls_are_recorded(workspace: Workspace, tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, parameters())
    thread = threading.Thread(target=recorder.run)
    thread.start()
    process = Process(tmp_path)
    for _ in range(15):
        process.write(*(result(intent(workspace, client=f"c{number % 9}")) for number in range(50)))
        with snapshot():
            assert not list(differences(Scope()))
    recorder.stopping.set()
    thread.join(20)
    assert verify().startswith("Events and rollups agree: 750 calls, ")
