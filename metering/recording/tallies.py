"""What results add to the rollups, summed before PostgreSQL sees them. Pure."""

from __future__ import annotations

import struct
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any

from metering.recording.binary import day, instant, plain, uuid
from metering.recording.facts import Facts
from metering.recording.late import ADJUSTMENT, PRICED

SUMS = (
    "calls",
    "errors",
    "unpriced",
    "estimated",
    "input_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "output_tokens",
    "reasoning_tokens",
    "cost",
)
"""The columns that are summed; `last_call_at` follows them."""

Kinds = tuple[Callable[[str], bytes], ...]
USAGE: Kinds = (uuid, day, plain, plain, plain, uuid)
TAGS: Kinds = (uuid, day, plain, plain)
"""How the keys of the two rollups are written."""
FIELDS = struct.Struct(">h")
NUMBERS = struct.Struct(">" + "iq" * len(SUMS))

OTHER = "other"
"""The name for what is beyond the limits of names, of clients and of tag values alike."""

Parts = tuple[int, ...]
"""The SUMS of one call or of some, then the last instant."""
UsageKey = tuple[str, str, str, str, str, str]
TagKey = tuple[str, str, str, str]
Group = tuple[Facts, str, str]
"""Facts, day and model: what calls have in common that are always counted in the same rows."""


class Tallies:
    """Results by what they have in common, from which come the rows of both rollups."""

    def __init__(self) -> None:
        self.groups: defaultdict[Group, list[Parts]] = defaultdict(list)
        self._rows: tuple[dict[UsageKey, list[Parts]], dict[TagKey, list[Parts]]] | None = None

    @property
    def usage(self) -> dict[UsageKey, list[Parts]]:
        """By (workspace, day, client, provider, model, key)."""
        return self._added_up()[0]

    @property
    def tags(self) -> dict[TagKey, list[Parts]]:
        """By (workspace, day, tag key, tag value)."""
        return self._added_up()[1]

    def add(self, facts: Facts, event: dict[str, Any]) -> None:
        """Count one result, of which a row could be made."""
        parts = _parts(event)
        self.groups[facts, event["day"], event["model"]].append(parts)
        self._rows = None

    def fold(self, keys: set[TagKey]) -> None:
        """Count these tag values, where there are any, as `other`, until more is added."""
        for key in keys:
            parts = self.tags.pop(key, [])
            if parts:
                self.tags.setdefault((*key[:3], OTHER), []).extend(parts)

    def _added_up(self) -> tuple[dict[UsageKey, list[Parts]], dict[TagKey, list[Parts]]]:
        if self._rows is None:
            usage: dict[UsageKey, list[Parts]] = {}
            tags: dict[TagKey, list[Parts]] = {}
            for (facts, date, model), calls in self.groups.items():
                parts = _sum(calls)
                key = (facts.workspace, date, facts.client, facts.provider, model, facts.key)
                usage.setdefault(key, []).append(parts)
                for tag, value in facts.tags.items():
                    tags.setdefault((facts.workspace, date, tag, value), []).append(parts)
            self._rows = usage, tags
        return self._rows


def _parts(event: dict[str, Any]) -> Parts:
    """The SUMS of one result, then its instant. An adjustment is no call: it only moves tokens and cost.

    One that prices a call which had no price takes it out of the unpriced ones.
    """
    count = event["usage"].get
    cost = event["cost"]
    call = event["source"] != ADJUSTMENT
    return (
        call,
        call and event["status"] == "provider_error",
        cost is None if call else -(PRICED in event["flags"]),
        call and event["estimated"],
        count("input_tokens", 0),
        count("cache_read_tokens", 0),
        count("cache_write_tokens", 0),
        count("output_tokens", 0),
        count("reasoning_tokens", 0),
        cost or 0,
        event["at"],
    )


def _sum(calls: list[Parts]) -> Parts:
    """Several as one."""
    if len(calls) == 1:
        return calls[0]
    *sums, moments = zip(*calls, strict=True)
    return (*map(sum, sums), max(moments))


def rows(kinds: Kinds, tally: Mapping[Any, list[Parts]]) -> list[bytes]:
    """A tally in COPY's binary format: the key's columns, the SUMS and the last instant, sorted by key.

    The order is what keeps two recorders that add to the same rows from waiting for each other. Raises Malformed when
    a sum is too big.
    """
    beginning = FIELDS.pack(len(kinds) + len(SUMS) + 1)
    written = []
    for key in sorted(tally):
        *sums, last = _sum(tally[key])
        numbers = [8] * len(SUMS) * 2
        numbers[1::2] = sums
        columns = [kind(value) for kind, value in zip(kinds, key, strict=True)]
        written.append(b"".join((beginning, *columns, NUMBERS.pack(*numbers), instant(last))))
    return written
