"""What results add to the rollups."""

from __future__ import annotations

from itertools import pairwise

from metering.recording.tallies import Tallies, lines
from tests.spooled import NOON, intent, result

WORKSPACE = "01990000-0000-7000-8000-00000000000a"
KEY = "01990000-0000-7000-8000-000000000001"


def test_results_of_one_key_are_added_up() -> None:
    tallies = Tallies()
    tallies.add(result(intent(WORKSPACE), cost=5))
    tallies.add(result(intent(WORKSPACE, at=NOON + 7), cost=None, status="provider_error", estimated=True, usage={}))
    sums = "2\t1\t1\t1\t1000\t300\t0\t200\t40\t5\t2026-06-23 12:00:00.000007Z\n"
    assert lines(tallies.usage) == f"{WORKSPACE}\t2026-06-23\tacme-corp\topenai\tgpt-4.1-mini\t{KEY}\t{sums}"
    assert lines(tallies.tags) == (
        f"{WORKSPACE}\t2026-06-23\tclient\tacme-corp\t{sums}{WORKSPACE}\t2026-06-23\tproject\tchatbot\t{sums}"
    )


def test_each_part_of_the_key_makes_a_row_of_its_own() -> None:
    tallies = Tallies()
    for change in ({}, {"day": "2026-06-24"}, {"client": ""}, {"provider": "groq"}, {"model": "m"}, {"key": WORKSPACE}):
        tallies.add(result(intent(WORKSPACE) | change))
    tallies.add(result(intent(KEY)))
    assert len(tallies.usage) == 7


def test_rows_are_sorted_whatever_came_first() -> None:
    tallies = Tallies()
    for client in ("zeta", "", "alpha", "Beta", "ärger"):
        tallies.add(result(intent(WORKSPACE, client=client)))
    written = lines(tallies.usage).splitlines()
    assert all(first < second for first, second in pairwise(written))


def test_an_empty_tally_has_no_rows() -> None:
    assert lines({}) == ""


def test_values_are_folded_into_other() -> None:
    tallies = Tallies()
    for value in ("one", "two", "other", "kept"):
        tallies.add(result(intent(WORKSPACE, tags={"run": value}), cost=10))
    day = (WORKSPACE, "2026-06-23", "run")
    tallies.fold({(*day, "one"), (*day, "two"), (*day, "never seen")})
    assert {key[3]: sum(parts[9] for parts in rows) for key, rows in tallies.tags.items()} == {"other": 30, "kept": 10}
