"""From spool files to the ledger: every call once, in whatever state the files are left."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.db import connection

from metering.ledger import UsageEvent
from metering.recorder import Recorder
from metering.recording.batch import Batch
from metering.recording.writing import Ledger, Stale
from metering.records import encode
from metering.verify import Scope, differences
from tests.spooled import (
    KEY,
    NOON,
    Process,
    intent,
    leave,
    ledger,
    parameters,
    record,
    refusals,
    result,
    rows,
    totals,
)
from tokonomics.ids import new_id
from tokonomics.models import Workspace

pytestmark = pytest.mark.django_db(transaction=True)


def eventually(condition: Callable[[], Any], seconds: float = 20) -> None:
    """Wait until something is true; fail when it does not come true."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not come true"
        time.sleep(0.02)


def reached(number: int) -> bool:
    return calls() == number


def calls() -> int:
    return int(rows("SELECT count(*) FROM usage_event")[0][0])


# what is recorded


def test_ten_thousand_calls_of_several_processes_add_up(workspace: Workspace, tmp_path: Path) -> None:
    models = ("gpt-4.1", "gpt-4.1-mini", "o4-mini")
    for number in range(4):
        process = Process(tmp_path)
        for segment in range(2):
            for call in range(1250):
                tags = {"project": f"p{call % 7}", "env": "test"}
                called = intent(workspace, at=NOON + call, client=f"c{call % 12}", model=models[call % 3], tags=tags)
                process.write(called, result(called, cost=1_000_000 * number + call), segment=segment)
        process.kill()
    record(tmp_path)
    expected = (10_000, sum(2 * (1_000_000 * number + call) for number in range(4) for call in range(1250)))
    assert totals() == dict.fromkeys(("events", "daily_usage", "project", "env"), expected)
    assert not list(differences(Scope()))
    assert list(tmp_path.iterdir()) == [tmp_path / "recorder.lock"] or not list(tmp_path.iterdir())


def test_an_event_is_what_the_gateway_wrote(workspace: Workspace, tmp_path: Path) -> None:
    credential = str(new_id())
    called = intent(workspace, at=NOON + 123_456, credential=credential, stream=True, client="acme")
    written = result(called, status="provider_error", http_status=529, provider_cost=710_000, first_byte_ms=None)
    leave(tmp_path, called, written)
    record(tmp_path)
    event = UsageEvent.objects.get()
    assert event.admitted_at.isoformat() == "2026-06-23T12:00:00.123456+00:00"
    assert (str(event.workspace_id), str(event.key_id), str(event.credential_id)) == (
        str(workspace.pk),
        KEY,
        credential,
    )
    for name in ("id", "day"):
        assert str(getattr(event, name)) == written[name]
    for name in (
        "client key_name provider model requested_model endpoint stream test source status http_status estimated "
        "flags usage cost cost_source price_version lines provider_cost latency_ms first_byte_ms tags"
    ).split():
        assert getattr(event, name) == written[name], name
    assert (event.input_tokens, event.output_tokens) == (1000, 200)
    assert (event.cache_read_tokens, event.cache_write_tokens, event.reasoning_tokens) == (300, 0, 40)


def test_the_rollups_hold_every_sum(workspace: Workspace, tmp_path: Path) -> None:
    leave(
        tmp_path,
        result(intent(workspace, at=NOON + 5)),
        result(intent(workspace, at=NOON), cost=None, status="provider_error", estimated=True, usage={}),
    )
    record(tmp_path)
    sums = "calls, errors, unpriced, estimated, input_tokens, cache_read_tokens, cache_write_tokens, output_tokens,"
    sums += " reasoning_tokens, cost, extract(microseconds FROM last_call_at)::int"
    assert rows(f"SELECT client, provider, model, key_id::text, day::text, {sums} FROM daily_usage") == [
        ("acme-corp", "openai", "gpt-4.1-mini", KEY, "2026-06-23", 2, 1, 1, 1, 1000, 300, 0, 200, 40, 720_000, 5)
    ]
    assert rows(f"SELECT tag_key, tag_value, {sums} FROM daily_tag_usage ORDER BY 1") == [
        ("client", "acme-corp", 2, 1, 1, 1, 1000, 300, 0, 200, 40, 720_000, 5),
        ("project", "chatbot", 2, 1, 1, 1, 1000, 300, 0, 200, 40, 720_000, 5),
    ]


def test_refusals_are_counted(workspace: Workspace, tmp_path: Path) -> None:
    key = [str(workspace.pk), "2026-06-23", "acme", KEY, "invalid_tags"]
    leave(tmp_path, refusals([*key, 2], [*key[:4], "rate_limited", 1]), refusals([*key, 3]))
    record(tmp_path)
    leave(tmp_path, refusals([*key, 4]))
    record(tmp_path)
    found = rows("SELECT client, key_id::text, code, calls FROM daily_refusals ORDER BY code")
    assert found == [("acme", KEY, "invalid_tags", 9), ("acme", KEY, "rate_limited", 1)]
    assert not calls()


def test_odd_texts_stay_as_they_are(workspace: Workspace, tmp_path: Path) -> None:
    odd = 'tab\t line\n return\r back\\slash \\N "quote" ünï 漢 🙂 \\. end'
    leave(tmp_path, result(intent(workspace, client=odd, key_name=odd, model=odd, tags={"odd": odd})))
    record(tmp_path)
    event = UsageEvent.objects.get()
    assert [event.client, event.key_name, event.model, event.tags["odd"]] == [odd] * 4
    assert rows("SELECT client, model FROM daily_usage") == [(odd, odd)]
    assert rows("SELECT tag_value FROM daily_tag_usage") == [(odd,)]


def test_a_nul_character_is_replaced_since_postgresql_has_none(workspace: Workspace, tmp_path: Path) -> None:
    leave(tmp_path, result(intent(workspace, model="gpt\0", tags={"a": "b\0c"})))
    assert record(tmp_path).rejects.bad == 0
    event = UsageEvent.objects.get()
    assert (event.model, event.tags) == ("gpt\ufffd", {"a": "b\ufffdc"})


def test_pages_are_told_whose_calls_were_recorded(workspace: Workspace, tmp_path: Path) -> None:
    with psycopg.connect(**parameters(), autocommit=True) as listener:
        listener.execute("LISTEN tokonomics_recorded")
        leave(tmp_path, *(result(intent(workspace)) for _ in range(3)))
        record(tmp_path)
        told = [notice.payload for notice in listener.notifies(timeout=1, stop_after=1)]
    assert told == [str(workspace.pk)]


@pytest.mark.parametrize("year", [1999, 2045])
def test_a_month_gets_its_partition_when_a_call_needs_it(workspace: Workspace, tmp_path: Path, year: int) -> None:
    at = int((year - 1970) * 365.2425 * 86_400) * 1_000_000
    leave(tmp_path, result(intent(workspace, at=at)))
    record(tmp_path)
    assert UsageEvent.objects.get().admitted_at.year in (year, year - 1)
    assert not list(differences(Scope()))


# replay


def test_files_that_come_back_add_nothing(workspace: Workspace, tmp_path: Path) -> None:
    spool, copy = tmp_path / "spool", tmp_path / "copy"
    called = [intent(workspace) for _ in range(50)]
    orphaned = intent(workspace)
    refused = refusals([str(workspace.pk), "2026-06-23", "", KEY, "invalid_tags", 1])
    leave(spool, *called, orphaned, refused, *map(result, called))
    shutil.copytree(spool, copy)
    record(spool)
    before = ledger()
    for _ in range(2):
        shutil.copytree(copy, spool, dirs_exist_ok=True)
        record(spool)
        assert ledger() == before
    assert calls() == 51
    assert not list(spool.glob("*.spool"))


def test_lines_that_the_ledger_forgot_to_have_read_are_not_counted_twice(workspace: Workspace, tmp_path: Path) -> None:
    spool, copy = tmp_path / "spool", tmp_path / "copy"
    leave(spool, *(result(intent(workspace, client=f"c{number % 5}")) for number in range(100)))
    shutil.copytree(spool, copy)
    record(spool)
    before = ledger()
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM spool_file")
    record(copy)
    assert ledger() == before


def test_a_file_under_two_names_is_counted_once(workspace: Workspace, tmp_path: Path) -> None:
    process = leave(tmp_path, *(result(intent(workspace)) for _ in range(20)))
    shutil.copy(process.segment(), Process(tmp_path).segment())
    record(tmp_path)
    assert totals() == dict.fromkeys(("events", "daily_usage", "client", "project"), (20, 20 * 720000))
    assert not list(differences(Scope()))


def test_new_calls_among_known_ones_are_counted(workspace: Workspace, tmp_path: Path) -> None:
    known = [result(intent(workspace)) for _ in range(10)]
    leave(tmp_path, *known)
    record(tmp_path)
    new = [result(intent(workspace, client="new"), cost=1) for _ in range(7)]
    leave(tmp_path, *known[:5], *new[:4], new[0], *known[5:], *new[4:])
    record(tmp_path)
    assert totals()["events"] == totals()["daily_usage"] == (17, 10 * 720_000 + 7)
    assert rows("SELECT client, calls FROM daily_usage ORDER BY 1") == [("acme-corp", 10), ("new", 7)]
    assert not list(differences(Scope()))


# damaged files


def test_a_torn_last_line_is_skipped_and_counted(
    workspace: Workspace, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    leave(tmp_path, result(intent(workspace)), encode(result(intent(workspace)))[:-30])
    recorder = record(tmp_path)
    assert (calls(), recorder.rejects.torn, recorder.rejects.bad) == (1, 1, 0)
    assert "ends in a torn line" in caplog.text
    assert not list(tmp_path.glob("*.spool"))


def test_the_torn_line_of_a_living_process_is_waited_for(workspace: Workspace, tmp_path: Path) -> None:
    process = Process(tmp_path)
    line = encode(result(intent(workspace)))
    process.write(result(intent(workspace)), line[:100])
    assert record(tmp_path).rejects.torn == 0
    assert calls() == 1
    process.write(line[100:])
    record(tmp_path)
    assert calls() == 2


def test_a_damaged_line_is_put_aside_and_the_others_recorded(
    workspace: Workspace, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    flipped = encode(result(intent(workspace))).replace(b'"cost":720000', b'"cost":120000')
    garbage = [b"what is this?\n", b"\n", flipped, bytes(300) + b"\n", encode({"kind": "unknown"}), encode({})]
    good = [result(intent(workspace)) for _ in range(3)]
    process = leave(tmp_path, good[0], *garbage[:3], good[1], *garbage[3:], good[2])
    recorder = record(tmp_path)
    assert (calls(), recorder.rejects.bad) == (3, 6)
    kept = process.segment().with_suffix(".bad")
    assert kept.read_bytes() == b"".join(garbage)
    assert f"is put into {kept}" in caplog.text
    assert not list(tmp_path.glob("*.spool"))


@pytest.mark.parametrize(
    "poison",
    [
        {"cost": -1},
        {"http_status": 70_000},
        {"status": "made up"},
        {"workspace": "not a uuid"},
        {"latency_ms": 2**40},
        {"day": "2026-02-30"},
        {"tags": {"a": 1}},
        {"tags": None},
        {"usage": {"input_tokens": -5}},
        {"at": "noon"},
    ],
    ids=str,
)
def test_a_line_that_the_ledger_cannot_take_stops_no_other(
    workspace: Workspace, tmp_path: Path, poison: dict[str, Any]
) -> None:
    called = intent(workspace)
    bad = result(called, **poison)
    good = [result(intent(workspace)) for _ in range(40)]
    process = leave(tmp_path, called, *good[:25], bad, *good[25:])
    recorder = record_through(tmp_path)
    assert recorder.rejects.bad == 1
    assert process.segment().with_suffix(".bad").read_bytes() == encode(bad)
    assert rows("SELECT status, flags, count(*) FROM usage_event GROUP BY 1, 2 ORDER BY 1") == [
        ("aborted", '["orphan"]', 1),
        ("ok", "[]", 40),
    ]
    assert not list(differences(Scope()))


def record_through(directory: Path) -> Recorder:
    """Record in spite of errors, as run() does."""
    recorder = Recorder(directory, parameters())
    eventually(lambda: not recorder.attempt() and not list(directory.glob("*.spool")))
    recorder.finish(10)
    return recorder


def test_the_call_of_a_line_that_was_put_aside_is_still_open_after_a_restart(
    workspace: Workspace, tmp_path: Path
) -> None:
    process = Process(tmp_path)
    called, fine = intent(workspace), intent(workspace)
    process.write(called, fine, result(called, cost=-1), result(fine))
    recorder = Recorder(tmp_path, parameters())
    eventually(lambda: not recorder.attempt() and recorder.rejects.bad)
    recorder.finish(10)
    assert rows("SELECT id::text FROM usage_event") == [(fine["id"],)]
    process.kill()
    record(tmp_path)
    assert set(rows("SELECT id::text, status FROM usage_event")) == {(fine["id"], "ok"), (called["id"], "aborted")}


def test_an_intent_may_say_its_parts_in_any_order(workspace: Workspace, tmp_path: Path) -> None:
    open_call, done = (dict(reversed(intent(workspace).items())) for _ in range(2))
    process = Process(tmp_path)
    process.write(open_call, done, result(done))
    record(tmp_path)
    assert calls() == 1
    process.kill()
    record(tmp_path)
    assert set(rows("SELECT id::text, status FROM usage_event")) == {(done["id"], "ok"), (open_call["id"], "aborted")}


def test_the_log_does_not_drown_in_damaged_lines(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    leave(tmp_path, *(b"damaged %d\n" % number for number in range(500)))
    assert record(tmp_path).rejects.bad == 500
    assert caplog.text.count("cannot be recorded, so it is put into") == 10
    assert caplog.text.count("without a word") == 1


def test_an_intent_that_is_none_is_put_aside_when_its_process_is_dead(workspace: Workspace, tmp_path: Path) -> None:
    wrong = [intent(workspace, estimate=None), intent(workspace, id="short"), intent(workspace, tags=None)]
    process = leave(tmp_path, *wrong, intent(workspace))
    assert record_through(tmp_path).rejects.bad == 3
    kept = process.segment().with_suffix(".bad").read_bytes().splitlines(keepends=True)
    assert sorted(kept) == sorted(map(encode, wrong))
    assert calls() == 1


def test_refusals_that_make_no_sense_are_put_aside(workspace: Workspace, tmp_path: Path) -> None:
    key = [str(workspace.pk), "2026-06-23", "", KEY, "invalid_tags"]
    wrong = [refusals([*key, "3"]), refusals([*key[:3], "no key", "code", 1]), refusals(key[:4]), refusals([*key, 1.5])]
    leave(tmp_path, *wrong, refusals([*key, 1]))
    assert record_through(tmp_path).rejects.bad == 4
    assert rows("SELECT calls FROM daily_refusals") == [(1,)]


# open calls


def test_a_call_that_is_under_way_makes_no_event_yet(workspace: Workspace, tmp_path: Path) -> None:
    process = Process(tmp_path)
    called = intent(workspace)
    process.write(called)
    record(tmp_path)
    assert calls() == 0
    process.write(result(called))
    record(tmp_path)
    assert UsageEvent.objects.get().cost == 720_000
    assert process.segment().exists()


def test_the_open_calls_of_a_dead_process_are_estimated(
    workspace: Workspace, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    done, lost = intent(workspace), intent(workspace)
    unpriced = intent(workspace, model="unheard-of", estimate={"input_tokens": 9, "cost": None})
    leave(tmp_path, done, lost, unpriced, result(done))
    record(tmp_path)
    assert calls() == 3
    event = UsageEvent.objects.get(id=lost["id"])
    assert (event.cost, event.cost_source, event.estimated, event.flags) == (100_000, "catalogue", True, ["orphan"])
    assert (event.status, event.http_status, event.input_tokens) == ("aborted", 0, 250)
    event = UsageEvent.objects.get(id=unpriced["id"])
    assert (event.cost, event.cost_source, event.estimated, event.input_tokens) == (None, "", True, 9)
    assert totals()["daily_usage"] == (3, 820_000)
    assert rows("SELECT sum(estimated), sum(unpriced) FROM daily_usage") == [(2, 1)]
    assert "died with 2 calls under way" in caplog.text
    assert not list(tmp_path.glob("*.spool"))


def test_open_calls_are_known_again_after_a_restart(workspace: Workspace, tmp_path: Path) -> None:
    process = Process(tmp_path)
    open_calls = [intent(workspace) for _ in range(3)]
    process.write(*open_calls, result(intent(workspace)))
    record(tmp_path)
    assert calls() == 1
    process.write(result(open_calls[0]))
    process.kill()
    record(tmp_path)
    assert rows("SELECT status, count(*) FROM usage_event GROUP BY 1 ORDER BY 1") == [("aborted", 2), ("ok", 2)]


def test_results_may_stand_in_later_segments(workspace: Workspace, tmp_path: Path) -> None:
    process = Process(tmp_path)
    first, second = intent(workspace), intent(workspace)
    process.write(first, second)
    process.write(result(first), segment=1)
    process.write(result(second), segment=2)
    process.kill()
    record(tmp_path)
    assert rows("SELECT status, count(*) FROM usage_event GROUP BY 1") == [("ok", 2)]


def test_a_segment_is_kept_while_a_call_in_it_is_open(workspace: Workspace, tmp_path: Path) -> None:
    process = Process(tmp_path)
    slow, quick = intent(workspace), intent(workspace)
    process.write(slow, quick)
    process.write(result(quick), intent(workspace), segment=1)
    process.write(segment=2)
    record(tmp_path)
    assert [process.segment(number).exists() for number in range(3)] == [True, True, True]
    process.write(result(slow), segment=2)
    record(tmp_path)
    assert [process.segment(number).exists() for number in range(3)] == [False, True, True]


def test_a_result_in_a_deleted_segment_is_remembered(workspace: Workspace, tmp_path: Path) -> None:
    """The slow call keeps the first segment; the quick call's intent is in it, its result in one that is gone."""
    process = Process(tmp_path)
    slow, quick = intent(workspace), intent(workspace)
    process.write(slow, quick)
    process.write(result(quick), segment=1)
    process.write(segment=2)
    record(tmp_path)
    assert [process.segment(number).exists() for number in range(3)] == [True, False, True]
    process.write(result(slow), segment=2)
    record(tmp_path)
    assert [process.segment(number).exists() for number in range(3)] == [False, False, True]
    process.kill()
    record(tmp_path)
    assert rows("SELECT status, count(*) FROM usage_event GROUP BY 1") == [("ok", 2)]


def test_many_calls_of_a_dead_process_are_adopted_in_several_batches(workspace: Workspace, tmp_path: Path) -> None:
    leave(tmp_path, *(intent(workspace) for _ in range(250)))
    record(tmp_path, lines=20)
    assert totals()["events"] == totals()["daily_usage"] == (250, 25_000_000)
    assert not list(tmp_path.glob("*.spool"))


def test_an_adoption_that_was_cut_short_is_finished(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("metering.recorder.BATCH_LINES", 30)
    leave(tmp_path, *(intent(workspace) for _ in range(250)))
    recorder = Recorder(tmp_path, parameters())
    recorder.lines = 30
    while not calls():
        recorder.step()
    recorder._forget()
    assert 0 < calls() < 250
    record(tmp_path)
    assert totals()["events"] == totals()["daily_usage"] == (250, 25_000_000)


def test_what_a_process_leaves_without_a_call_is_cleared_away(tmp_path: Path) -> None:
    leave(tmp_path)
    Process(tmp_path).kill()
    living = Process(tmp_path)
    record(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {f"{living.name}.lock"}


# several recorders, and errors


def test_the_second_of_two_with_the_same_lines_finds_them_recorded(workspace: Workspace, tmp_path: Path) -> None:
    batch = Batch()
    batch.add_result(result(intent(workspace)))
    batch.add_refusals(refusals([str(workspace.pk), "2026-06-23", "", KEY, "invalid_tags", 1]))
    batch.move("some.spool", 0, 1000)
    first, second = Ledger(parameters()), Ledger(parameters())
    assert first.offsets(["some.spool"]) == second.offsets(["some.spool"]) == {"some.spool": 0}
    first.record(batch)
    with pytest.raises(Stale):
        second.record(batch)
    assert first.offsets(["some.spool"]) == {"some.spool": 1000}
    assert rows("SELECT calls FROM daily_refusals") == [(1,)]
    first.close()
    second.close()


def test_a_second_recorder_waits_and_takes_over(
    workspace: Workspace, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    recorders = [Recorder(tmp_path, parameters()) for _ in range(2)]
    threads = [threading.Thread(target=recorder.run) for recorder in recorders]
    process = Process(tmp_path)
    threads[0].start()
    process.write(result(intent(workspace)))
    eventually(lambda: calls() == 1)
    threads[1].start()
    eventually(lambda: "waiting to take over" in caplog.text)
    recorders[0].stopping.set()
    threads[0].join(20)
    process.write(result(intent(workspace)))
    eventually(lambda: calls() == 2)
    recorders[1].stopping.set()
    threads[1].join(20)
    assert not any(thread.is_alive() for thread in threads)


def test_recorders_of_two_machines_share_the_rollups(workspace: Workspace, tmp_path: Path) -> None:
    for number in range(2):
        lines = [result(intent(workspace, client=f"c{(call * 7) % 40}"), cost=call) for call in range(1500)]
        leave(tmp_path / str(number), *lines)
    recorders = [Recorder(tmp_path / str(number), parameters()) for number in range(2)]
    for recorder in recorders:
        recorder.lines = 1
    threads = [threading.Thread(target=recorder.finish, args=[60]) for recorder in recorders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert totals()["events"] == totals()["daily_usage"] == totals()["client"] == (3000, 1499 * 1500)
    assert rows("SELECT count(*) FROM metering_client") == [(40,)]
    assert not list(differences(Scope()))


def test_a_lost_connection_is_made_anew_and_nothing_counted_twice(
    workspace: Workspace, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    recorder = Recorder(tmp_path, parameters())
    thread = threading.Thread(target=recorder.run)
    process = Process(tmp_path)
    thread.start()
    for number in range(1, 6):
        process.write(*(result(intent(workspace)) for _ in range(20)))
        eventually(partial(reached, number * 20))
        rows("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'tokonomics recorder'")
    process.write(result(intent(workspace)))
    eventually(lambda: calls() == 101)
    recorder.stopping.set()
    thread.join(20)
    assert "Calls cannot be recorded now" in caplog.text
    assert "Calls are recorded again" in caplog.text
    assert totals()["daily_usage"] == (101, 101 * 720_000)


def test_the_pause_between_attempts_grows_to_two_seconds(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    recorder = Recorder(tmp_path, {"host": "127.0.0.1", "port": 1, "connect_timeout": 2})
    pauses = []
    for _ in range(7):
        assert not recorder.attempt()
        pauses.append(recorder._pause)
    assert pauses == [0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0]
    assert caplog.text.count("Calls cannot be recorded now and wait in the spool") == 1
    recorder.finish(0)


def test_stopping_records_what_is_left(workspace: Workspace, tmp_path: Path) -> None:
    leave(tmp_path, *(result(intent(workspace)) for _ in range(500)))
    recorder = Recorder(tmp_path, parameters())
    recorder.stopping.set()
    recorder.run()
    assert calls() == 500
    assert os.listdir(tmp_path) == ["recorder.lock"]
