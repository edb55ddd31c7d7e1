"""What one transaction of the recorder will add to the ledger. Pure."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from functools import lru_cache
from operator import index
from typing import Any

from metering.recording.binary import Malformed
from metering.recording.facts import Facts, facts_of
from metering.recording.reading import understand
from metering.recording.rows import row
from metering.recording.tallies import Tallies

MALFORMED = (KeyError, TypeError, ValueError, AttributeError, OverflowError, Malformed)
"""What a line or a record that is not one of ours raises; BadLine is a ValueError."""

DAY = 86_400_000_000

Record = dict[str, Any]
RefusalKey = tuple[str, str, str, str, str]


class Batch:
    """Events, refusals, and how far each segment is read with them: `moves` holds (from, to) by segment name."""

    def __init__(self) -> None:
        self.moves: dict[str, tuple[int, int]] = {}
        self.records: list[bytes | Record] = []
        """Lines as they were read, and records that were made here, of all that was ever added."""
        self.calls: list[str] = []
        """The ids of all results that were ever added."""
        self.rows: list[bytes] = []
        self.tallies = Tallies()
        self.days: set[date] = set()
        self.sources: set[str] = set()
        self.refusals: Counter[RefusalKey] = Counter()
        self.ended: list[str] = []
        self._results: list[Record] | None = None

    def __bool__(self) -> bool:
        return bool(self.moves or self.rows or self.ended)

    @property
    def results(self) -> list[Record]:
        """The events in full. Most batches are recorded without them, as it takes a second reading of their lines."""
        if self._results is None:
            read = (understand(record) if isinstance(record, bytes) else record for record in self.records)
            self._results = [record for record in read if record["kind"] == "result"]
        return self._results

    def move(self, name: str, start: int, end: int) -> None:
        """Note that a segment is read on, from `start` to `end`."""
        self.moves[name] = (self.moves.get(name, (start, 0))[0], end)

    def add_result(self, result: Record, line: bytes | None = None) -> None:
        """Add an event; raises one of MALFORMED, and then holds nothing of it."""
        self.add_event(facts_of(result), result, result if line is None else line)

    def add_event(self, facts: Facts, event: Record, record: bytes | Record) -> None:
        """Add what `record` tells; `event` needs not repeat the facts. Raises as `add_result` does."""
        written, day = row(facts, event), _utc_day(event["at"] // DAY)
        self.tallies.add(facts, event)
        self.rows.append(written)
        self.calls.append(event["id"])
        self.days.add(day)
        self.sources.add(event["source"])
        self.records.append(record)
        self._results = None

    def add_refusals(self, record: Record, line: bytes | None = None) -> None:
        """Add counts of refused calls; raises one of MALFORMED, and then holds nothing of them."""
        counts: Counter[RefusalKey] = Counter()
        for *key, number in record["counts"]:
            workspace, day, client, api_key, code = _texts(*key)
            counts[workspace, day, client, api_key, code] += index(number)
        self.refusals += counts
        self.records.append(record if line is None else line)

    def rename_clients(self, names: dict[tuple[str, str], str]) -> None:
        """Give results another client, by workspace and the client that they named."""
        self.replace(
            [
                result | {"client": names.get((result["workspace"], result["client"]), result["client"])}
                for result in self.results
            ]
        )

    def replace(self, results: list[Record]) -> None:
        """Hold these results instead."""
        self._results = results
        self.rows = [row(facts_of(result), result) for result in results]
        self._count_again()

    def keep(self, ids: set[str], added: list[Record]) -> None:
        """Drop all events but these, and of two with one id the second, so that the rollups count what is new."""
        first = {result["id"]: result for result in reversed([*self.results, *added])}
        self._results = [result for identifier, result in first.items() if identifier in ids]
        self._count_again()

    def _count_again(self) -> None:
        self.tallies = Tallies()
        for result in self.results:
            self.tallies.add(facts_of(result), result)


@lru_cache(maxsize=1024)
def _utc_day(number: int) -> date:
    """The n-th day since 1970."""
    return date(1970, 1, 1) + timedelta(days=number)


def _texts(*values: str) -> tuple[str, ...]:
    """The values; raises TypeError unless all of them are texts."""
    "".join(values)
    return values
