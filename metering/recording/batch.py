"""What one transaction of the recorder will add to the ledger. Pure."""

from __future__ import annotations

from collections import Counter
from operator import index
from typing import Any

from metering.recording.rows import row
from metering.recording.tallies import Tallies

MALFORMED = (KeyError, TypeError, ValueError, AttributeError, OverflowError)
"""What a line or a record that is not one of ours raises; BadLine is a ValueError."""

RefusalKey = tuple[str, str, str, str, str]


class Batch:
    """Events, refusals, and how far each segment is read with them: `moves` holds (from, to) by segment name."""

    def __init__(self) -> None:
        self.moves: dict[str, tuple[int, int]] = {}
        self.records: list[dict[str, Any]] = []
        self.results: list[dict[str, Any]] = []
        self.rows: list[str] = []
        self.tallies = Tallies()
        self.refusals: Counter[RefusalKey] = Counter()
        self.ended: list[str] = []

    def __bool__(self) -> bool:
        return bool(self.moves or self.results or self.ended)

    def move(self, name: str, start: int, end: int) -> None:
        """Note that a segment is read on, from `start` to `end`."""
        self.moves[name] = (self.moves.get(name, (start, 0))[0], end)

    def add_result(self, result: dict[str, Any]) -> None:
        """Add an event; raises one of MALFORMED, and then holds nothing of it."""
        _texts(result["id"], result["workspace"], result["day"], result["key"], *result["tags"].values())
        line = row(result)
        self.tallies.add(result)
        self.rows.append(line)
        self.results.append(result)
        self.records.append(result)

    def add_refusals(self, record: dict[str, Any]) -> None:
        """Add counts of refused calls; raises one of MALFORMED, and then holds nothing of them."""
        counts: Counter[RefusalKey] = Counter()
        for *key, number in record["counts"]:
            workspace, day, client, api_key, code = _texts(*key)
            counts[workspace, day, client, api_key, code] += index(number)
        self.refusals += counts
        self.records.append(record)

    def rename_clients(self, names: dict[tuple[str, str], str]) -> None:
        """Give results another client, by workspace and the client that they named."""
        for result in self.results:
            key = (result["workspace"], result["client"])
            result["client"] = names.get(key, result["client"])
        self.replace(self.results)

    def replace(self, results: list[dict[str, Any]]) -> None:
        """Hold these results instead."""
        self.results = results
        self.rows = [row(result) for result in results]
        self._count_again()

    def keep(self, ids: set[str]) -> None:
        """Drop all events but these, and of two with one id the second, so that the rollups count what is new."""
        first = {result["id"]: result for result in reversed(self.results)}
        self.results = [result for identifier, result in first.items() if identifier in ids]
        self._count_again()

    def _count_again(self) -> None:
        self.tallies = Tallies()
        for result in self.results:
            self.tallies.add(result)


def _texts(*values: str) -> tuple[str, ...]:
    """The values; raises TypeError unless all of them are texts."""
    "".join(values)
    return values
