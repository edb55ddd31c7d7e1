"""Whether the judge would notice: journals and events made by hand, right and wrong."""

from __future__ import annotations

import ast
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.faults.ledger import Event, line_of, open_calls, records
from tests.faults.plans import Usage
from tests.faults.prices import cost
from tests.faults.verdict import Entry, judge

ORACLE = ("plans", "journals", "provider", "load", "prices", "ledger", "verdict")
PRODUCT = {"django", "tokonomics", "metering", "billing", "alerts"}

EXACT = Event("e1", "gpt-4.1-mini", 1000, 300, 200, 50, 630_000, "ok", 200, estimated=False)
GUESS = replace(EXACT, cached=0, output=0, reasoning=0, cost=400_000, status="aborted", http_status=0, estimated=True)


def asked(**fields: Any) -> Entry:
    """What the provider wrote down of EXACT."""
    entry = {"run": "r", "call": "c1", "id": "e1", "model": "gpt-4.1-mini", "status": 200, "end": "whole"}
    return {**entry, "input": 1000, "cached": 300, "output": 200, "reasoning": 50, **fields}


def seen(**fields: Any) -> Entry:
    """What a client wrote down of EXACT."""
    return {"call": "c1", "id": "e1", "status": 200, "complete": True, "error": "", "cost": "0.00063", **fields}


def test_what_is_right_is_found_right() -> None:
    verdict = judge([asked()], [seen()], [EXACT])
    assert verdict.problems() == []
    assert (verdict.calls, verdict.exact, verdict.estimated) == (1, 1, set())


def test_an_estimate_is_right_for_a_client_that_saw_no_end() -> None:
    verdict = judge([asked()], [seen(complete=False)], [GUESS])
    assert verdict.problems() == []
    assert (verdict.exact, verdict.estimated, verdict.unseen) == (0, {"e1"}, set())


def test_a_call_killed_before_it_was_sent_is_counted_apart() -> None:
    assert judge([], [], [GUESS]).unseen == {"e1"}


@pytest.mark.parametrize(
    ("asked_for", "seen_of", "events", "problem"),
    [
        ([asked()], [], [], "lost: e1"),
        ([asked()], [], [EXACT, EXACT], "doubled: e1"),
        ([], [], [EXACT], "invented: e1"),
        ([asked()], [], [replace(EXACT, output=201)], "the provider says"),
        ([asked()], [], [replace(EXACT, cost=630_001)], "the provider says"),
        ([asked()], [], [replace(EXACT, cost=None)], "the provider says"),
        ([asked(status=500)], [], [EXACT], "the provider refused it"),
        ([asked()], [], [replace(GUESS, cost=0)], "estimated at nothing"),
        ([asked()], [seen()], [GUESS], "was answered completely, and is aborted and estimated"),
        ([asked()], [seen(cost="0.00064")], [EXACT], "was told a cost"),
        ([asked()], [seen(id="e2", complete=False)], [EXACT], "e2: was answered and has no event"),
        ([asked()], [seen(id="", complete=False, error="hung")], [EXACT], "c1: hung"),
        ([asked()], [seen(id="", complete=False, error="budget_unavailable")], [EXACT], "refused, and yet sent"),
        ([asked(), asked(id="e2")], [], [EXACT, replace(EXACT, id="e2")], "more than once"),
    ],
)
def test_a_broken_promise_is_found(
    asked_for: list[Entry], seen_of: list[Entry], events: list[Event], problem: str
) -> None:
    (found,) = judge(asked_for, seen_of, events).problems()
    assert problem in found


def test_prices_are_those_of_the_list() -> None:
    assert cost("gpt-4.1-mini", Usage(1000, 300, 200, 50)) == 630_000
    assert cost("gpt-4o-mini", Usage(1, 1, 0, 0)) == 75


def test_spool_lines_are_read_by_their_checksum() -> None:
    lines = [line_of({"kind": "intent", "id": name}) for name in "ab"] + [line_of({"kind": "result", "id": "a"})]
    data = b"".join(lines) + b"garbage\n" + lines[1].replace(b"b", b"c") + lines[2][:9]
    assert [record["id"] for record in records(data)] == ["a", "b", "a"]
    assert open_calls(data) == {"b"}


@pytest.mark.parametrize("name", ORACLE)
def test_the_oracle_imports_nothing_of_the_product(name: str) -> None:
    tree = ast.parse(Path(__file__).with_name(f"{name}.py").read_bytes())
    modules = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    modules += [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    assert not {module.partition(".")[0] for module in modules} & PRODUCT
    assert all(module.startswith("tests.faults.") for module in modules if module.startswith("tests"))
