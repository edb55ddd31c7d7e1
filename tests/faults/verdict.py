"""Who is right: what the provider and the clients have written down against the events of the ledger."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from tests.faults.ledger import Event
from tests.faults.plans import Usage
from tests.faults.prices import NANO, cost

Entry = dict[str, Any]


@dataclass
class Verdict:
    """What came of a run. Everything in `problems` is a broken promise."""

    calls: int = 0
    """Calls that reached the provider."""
    exact: int = 0
    estimated: set[str] = field(default_factory=set)
    unseen: set[str] = field(default_factory=set)
    """Estimated calls that never came to the provider: announced, and killed before they were sent."""
    lost: set[str] = field(default_factory=set)
    doubled: set[str] = field(default_factory=set)
    invented: set[str] = field(default_factory=set)
    wrong: dict[str, str] = field(default_factory=dict)

    def problems(self) -> list[str]:
        """Broken promises in words."""
        sets = {"lost": self.lost, "doubled": self.doubled, "invented": self.invented}
        found = [f"{name}: {', '.join(sorted(ids))}" for name, ids in sets.items() if ids]
        return found + [f"{identifier}: {what}" for identifier, what in sorted(self.wrong.items())]


def judge(asked: Iterable[Entry], seen: Iterable[Entry], events: Iterable[Event]) -> Verdict:
    """Compare the provider's journal, the clients' journal and the events of one run."""
    asked, seen, events = list(asked), list(seen), list(events)
    by_id = {entry["id"]: entry for entry in asked}
    known = {event.id: event for event in events}
    verdict = Verdict(calls=len(by_id))
    verdict.lost = set(by_id) - set(known)
    verdict.doubled = _repeated(event.id for event in events)
    for event in known.values():
        _judge_event(verdict, event, by_id.get(event.id))
    for entry in seen:
        if problem := _problem_of_client(entry, by_id, known.get(entry["id"])):
            verdict.wrong[entry["id"] or entry["call"]] = problem
    reached = {entry["call"] for entry in asked}
    refused = {entry["call"] for entry in seen if entry["error"] == "budget_unavailable"}
    verdict.wrong |= dict.fromkeys(reached & refused, "was refused, and yet sent to the provider")
    verdict.wrong |= dict.fromkeys(_repeated(e["call"] for e in asked), "was sent to the provider more than once")
    return verdict


def _judge_event(verdict: Verdict, event: Event, asked: Entry | None) -> None:
    if event.estimated:
        verdict.estimated.add(event.id)
        if not event.cost or not event.input:
            verdict.wrong[event.id] = "is estimated at nothing"
    if asked is None:
        if event.estimated:
            verdict.unseen.add(event.id)
        elif event.status != "not_dispatched" or event.cost != 0:
            verdict.invented.add(event.id)
        return
    if event.estimated:
        return
    verdict.exact += 1
    if problem := _difference(event, asked):
        verdict.wrong[event.id] = problem


def _difference(event: Event, asked: Entry) -> str:
    """How an event that claims to be exact differs from what the provider reported; '' when it does not."""
    if asked["status"] >= 400:
        counted = (event.status, event.http_status, event.cost, event.input, event.output)
        expected = ("provider_error", asked["status"], 0, 0, 0)
        return "" if counted == expected else f"is {counted}, the provider refused it: {expected}"
    usage = _usage(asked)
    counted_usage = (event.model, Usage(event.input, event.cached, event.output, event.reasoning), event.cost)
    expected_usage = (asked["model"], usage, cost(asked["model"], usage))
    return "" if counted_usage == expected_usage else f"is {counted_usage}, the provider says {expected_usage}"


def _problem_of_client(entry: Entry, asked: dict[str, Entry], event: Event | None) -> str:
    """What a client saw and the ledger does not bear out."""
    if entry["error"] == "hung":
        return f"hung after status {entry['status']}"
    if entry["id"] and event is None:
        return "was answered and has no event"
    if not entry["complete"]:
        return ""
    if event is None or entry["id"] not in asked:
        return "was answered completely, but nobody knows it"
    if event.estimated or event.status != "ok":
        return f"was answered completely, and is {event.status}{' and estimated' if event.estimated else ''}"
    if entry["cost"] and Decimal(entry["cost"]) * NANO != event.cost:
        return f"was told a cost of {entry['cost']}, and is recorded at {event.cost}"
    return ""


def _usage(entry: Entry) -> Usage:
    return Usage(entry["input"], entry["cached"], entry["output"], entry["reasoning"])


def _repeated(values: Iterable[str]) -> set[str]:
    return {value for value, count in Counter(values).items() if count > 1}
