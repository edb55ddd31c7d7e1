"""What results add to the rollups."""

from __future__ import annotations

from typing import Any

import pytest

from metering.recording.binary import Malformed, day, instant, uuid
from metering.recording.facts import facts_of
from metering.recording.tallies import TAGS, USAGE, Tallies, rows
from tests.metering.recording.test_rows import fields
from tests.spooled import NOON, intent, result

WORKSPACE = "01990000-0000-7000-8000-00000000000a"
KEY = "01990000-0000-7000-8000-000000000001"


def tallied(*results: dict[str, Any]) -> Tallies:
    tallies = Tallies()
    for told in results:
        tallies.add(facts_of(told), told)
    return tallies


def test_results_of_one_key_are_added_up() -> None:
    tallies = tallied(
        result(intent(WORKSPACE), cost=5),
        result(intent(WORKSPACE, at=NOON + 7), cost=None, status="provider_error", estimated=True, usage={}),
    )
    sums = [number.to_bytes(8, "big") for number in (2, 1, 1, 1, 1000, 300, 0, 200, 40, 5)]
    ends = [*sums, instant(NOON + 7)[4:]]
    where = uuid(WORKSPACE)[4:], day("2026-06-23")[4:]
    (usage,) = rows(USAGE, tallies.usage)
    assert list(fields(usage)) == [*where, b"acme-corp", b"openai", b"gpt-4.1-mini", uuid(KEY)[4:], *ends]
    client, project = rows(TAGS, tallies.tags)
    assert list(fields(client)) == [*where, b"client", b"acme-corp", *ends]
    assert list(fields(project)) == [*where, b"project", b"chatbot", *ends]


def test_a_sum_that_does_not_fit_is_refused() -> None:
    with pytest.raises(Malformed):
        rows(USAGE, tallied(*(result(intent(WORKSPACE), cost=2**62) for _ in range(2))).usage)


def test_each_part_of_the_key_makes_a_row_of_its_own() -> None:
    changes: tuple[dict[str, str], ...] = (
        {},
        {"day": "2026-06-24"},
        {"client": ""},
        {"provider": "groq"},
        {"model": "m"},
        {"key": WORKSPACE},
    )
    tallies = tallied(*(result(intent(WORKSPACE) | change) for change in changes), result(intent(KEY)))
    assert len(tallies.usage) == 7


def test_rows_are_sorted_whatever_came_first() -> None:
    names = ("zeta", "", "alpha", "Beta", "ärger")
    tallies = tallied(*(result(intent(WORKSPACE, client=name)) for name in names))
    clients = [list(fields(written))[2] for written in rows(USAGE, tallies.usage)]
    assert clients == sorted(name.encode() for name in names)


def test_an_empty_tally_has_no_rows() -> None:
    assert rows(USAGE, {}) == []


def test_values_are_folded_into_other() -> None:
    values = ("one", "two", "other", "kept")
    tallies = tallied(*(result(intent(WORKSPACE, tags={"run": value}), cost=10) for value in values))
    day = (WORKSPACE, "2026-06-23", "run")
    tallies.fold({(*day, "one"), (*day, "two"), (*day, "never seen")})
    assert {key[3]: sum(parts[9] for parts in rows) for key, rows in tallies.tags.items()} == {"other": 30, "kept": 10}
