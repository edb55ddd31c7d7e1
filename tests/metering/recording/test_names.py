"""New clients and tag values: made on sight, up to a limit, then `other`."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from metering.models import Client
from metering.recording.batch import Batch
from metering.recording.names import LIMIT
from metering.recording.writing import Ledger
from metering.verify import Scope, differences
from tests.factories import WorkspaceFactory
from tests.spooled import Record, intent, leave, parameters, record, result, rows, totals
from tokonomics.ids import new_id
from tokonomics.models import Workspace

pytestmark = pytest.mark.django_db(transaction=True)


def calls_of(workspace: Workspace, *clients: str) -> list[Record]:
    return [result(intent(workspace, client=client, tags={})) for client in clients]


def calls_tagged(workspace: Workspace, *values: str) -> list[Record]:
    return [result(intent(workspace, tags={"run": value}), cost=10) for value in values]


def test_an_unknown_client_becomes_an_unconfirmed_one(workspace: Workspace, tmp_path: Path) -> None:
    leave(tmp_path, *calls_of(workspace, "new-corp", "new-corp", ""))
    record(tmp_path)
    client = Client.objects.get(workspace=workspace)
    assert (client.slug, client.name, client.confirmed_at, client.archived_at) == ("new-corp", "new-corp", None, None)


def test_a_known_client_stays_as_it_is(workspace: Workspace, tmp_path: Path) -> None:
    moment = timezone.now()
    Client.objects.create(workspace=workspace, slug="acme-corp", name="Acme", confirmed_at=moment, archived_at=moment)
    leave(tmp_path, *calls_of(workspace, "acme-corp"))
    record(tmp_path)
    assert list(Client.objects.values_list("name", "confirmed_at", "archived_at")) == [("Acme", moment, moment)]


def test_the_same_name_in_two_workspaces_is_two_clients(workspace: Workspace, tmp_path: Path) -> None:
    other = WorkspaceFactory.create()
    leave(tmp_path, *calls_of(workspace, "acme"), *calls_of(other, "acme"))
    record(tmp_path)
    assert set(Client.objects.values_list("workspace_id", "slug")) == {(workspace.pk, "acme"), (other.pk, "acme")}


def test_calls_of_a_workspace_that_is_gone_are_kept_without_a_client(tmp_path: Path, db: None) -> None:
    leave(tmp_path, result(intent(new_id(), client="acme")))
    record(tmp_path)
    assert rows("SELECT client FROM usage_event") == [("acme",)]
    assert not Client.objects.exists()


def test_new_clients_beyond_the_limit_are_other(workspace: Workspace, tmp_path: Path) -> None:
    stranger = WorkspaceFactory.create()
    Client.objects.create(workspace=workspace, slug="mine", name="Mine", confirmed_at=timezone.now())
    flood = [f"c{number:04}" for number in range(LIMIT + 5)]
    leave(tmp_path, *calls_of(workspace, "mine", *flood[:600]))
    record(tmp_path)
    leave(tmp_path, *calls_of(workspace, *flood[600:], "mine", "c0000"), *calls_of(stranger, "late"))
    record(tmp_path)
    slugs = set(Client.objects.filter(workspace=workspace).values_list("slug", flat=True))
    assert slugs == {"mine", "other", *flood[:LIMIT]}
    assert rows("SELECT count(*) FROM usage_event WHERE client = 'other'") == [(5,)]
    assert rows("SELECT calls FROM daily_usage WHERE client IN ('other', 'mine', 'c0000') ORDER BY client") == [
        (2,),
        (2,),
        (5,),
    ]
    assert Client.objects.filter(workspace=stranger, slug="late").exists()
    assert not list(differences(Scope()))


def test_clients_that_came_on_another_day_leave_room(workspace: Workspace, tmp_path: Path) -> None:
    Client.objects.bulk_create(Client(workspace=workspace, slug=f"c{n}", name="old") for n in range(LIMIT))
    Client.objects.update(created_at=timezone.now() - timedelta(days=1))
    leave(tmp_path, *calls_of(workspace, "today"))
    record(tmp_path)
    assert Client.objects.filter(slug="today").exists()


def test_tag_values_beyond_the_limit_are_other_in_the_rollup(workspace: Workspace, tmp_path: Path) -> None:
    values = [f"v{number:04}" for number in range(LIMIT + 50)]
    leave(tmp_path, *calls_tagged(workspace, *values[:700]))
    record(tmp_path)
    leave(tmp_path, *calls_tagged(workspace, *values[650:], "v0000"))
    record(tmp_path)
    found = dict(rows("SELECT tag_value, calls FROM daily_tag_usage WHERE tag_key = 'run'"))
    assert set(found) == {*values[:LIMIT], "other"}
    assert (found["other"], found["v0000"], found["v0650"], found["v0999"]) == (50, 2, 2, 1)
    assert rows("SELECT tags FROM usage_event WHERE tags->>'run' = 'v1049'") == [('{"run": "v1049"}',)]
    assert totals()["run"] == totals()["events"] == (1101, 11010)
    assert not list(differences(Scope()))


def test_a_value_beyond_the_limit_stays_other(workspace: Workspace, tmp_path: Path) -> None:
    values = [f"v{number:04}" for number in range(LIMIT + 1)]
    leave(tmp_path, *calls_tagged(workspace, *values))
    record(tmp_path, lines=400)
    leave(tmp_path, *calls_tagged(workspace, values[-1], "other"))
    record(tmp_path)
    assert rows("SELECT calls FROM daily_tag_usage WHERE tag_value = 'other'") == [(3,)]
    assert not list(differences(Scope()))


def test_the_limit_is_that_of_a_day_and_a_tag(workspace: Workspace, tmp_path: Path) -> None:
    leave(tmp_path, *calls_tagged(workspace, *(f"v{number}" for number in range(LIMIT))))
    record(tmp_path)
    leave(
        tmp_path,
        result(intent(workspace, day="2026-06-24", tags={"run": "tomorrow"})),
        result(intent(workspace, tags={"user": "another tag"})),
        result(intent(WorkspaceFactory.create(), tags={"run": "another tenant"})),
        result(intent(workspace, tags={"run": "too many"})),
    )
    record(tmp_path)
    found = {value for (value,) in rows("SELECT tag_value FROM daily_tag_usage WHERE tag_value !~ '^v'")}
    assert found == {"tomorrow", "another tag", "another tenant", "other"}


def test_one_recorder_replaces_the_same_names_again_and_again(workspace: Workspace) -> None:
    ledger = Ledger(parameters())
    names = [f"c{number:04}" for number in range(LIMIT + 1)]
    values = [{"run": f"v{number:04}"} for number in range(LIMIT + 1)]
    known, beyond = (names[0], values[0]), (names[-1], values[-1])
    for calls in (zip(names, values, strict=True), [beyond, known], [beyond, known]):
        batch = Batch()
        for client, tags in calls:
            batch.add_result(result(intent(workspace, client=client, tags=tags)))
        ledger.record(batch)
    ledger.close()
    assert rows("SELECT client, count(*) FROM usage_event GROUP BY 1 HAVING count(*) > 1 ORDER BY 1") == [
        ("c0000", 3),
        ("other", 3),
    ]
    assert rows("SELECT tag_value, calls FROM daily_tag_usage WHERE calls > 1 ORDER BY 1") == [
        ("other", 3),
        ("v0000", 3),
    ]
    assert not list(differences(Scope()))
