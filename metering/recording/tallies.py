"""What results add to the rollups, summed before PostgreSQL sees them. Pure."""

from __future__ import annotations

from typing import Any

from metering.recording.late import ADJUSTMENT, PRICED
from metering.recording.rows import moment, text

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

SUMMED = "%s" + "\t%d" * len(SUMS) + "\t%s\n"
"""A row of COPY: the key's columns, the sums, the instant."""

OTHER = "other"
"""The name for what is beyond the limits of names, of clients and of tag values alike."""

Parts = tuple[int, ...]
UsageKey = tuple[str, str, str, str, str, str]
TagKey = tuple[str, str, str, str]


class Tallies:
    """By (workspace, day, client, provider, model, key), and by (workspace, day, tag key, tag value)."""

    def __init__(self) -> None:
        self.usage: dict[UsageKey, list[Parts]] = {}
        self.tags: dict[TagKey, list[Parts]] = {}

    def add(self, result: dict[str, Any]) -> None:
        """Count one result, of which a row could be made."""
        parts = _parts(result)
        workspace, day = result["workspace"], result["day"]
        key = (workspace, day, result["client"], result["provider"], result["model"], result["key"])
        self.usage.setdefault(key, []).append(parts)
        for tag, value in result["tags"].items():
            self.tags.setdefault((workspace, day, tag, value), []).append(parts)

    def fold(self, keys: set[TagKey]) -> None:
        """Count these tag values, where there are any, as `other`."""
        for workspace, day, tag, value in keys:
            parts = self.tags.pop((workspace, day, tag, value), [])
            if parts:
                self.tags.setdefault((workspace, day, tag, OTHER), []).extend(parts)


def _parts(result: dict[str, Any]) -> Parts:
    """The SUMS of one result, then its instant. An adjustment is no call: it only moves tokens and cost.

    One that prices a call which had no price takes it out of the unpriced ones.
    """
    count = result["usage"].get
    cost = result["cost"]
    call = result["source"] != ADJUSTMENT
    return (
        call,
        call and result["status"] == "provider_error",
        cost is None if call else -(PRICED in result["flags"]),
        call and result["estimated"],
        count("input_tokens", 0),
        count("cache_read_tokens", 0),
        count("cache_write_tokens", 0),
        count("output_tokens", 0),
        count("reasoning_tokens", 0),
        cost or 0,
        result["at"],
    )


def lines(tally: dict[Any, list[Parts]]) -> str:
    """A tally in COPY's text format: the key's columns, the SUMS and the last instant, sorted by key.

    The order is what keeps two recorders that add to the same rows from waiting for each other.
    """
    written = []
    for key in sorted(tally):
        *sums, moments = zip(*tally[key], strict=True)
        columns = "\t".join(map(text, key))
        written.append(SUMMED % (columns, *map(sum, sums), moment(max(moments))))
    return "".join(written)
