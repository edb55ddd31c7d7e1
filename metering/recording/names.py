"""How many names callers may bring in: new clients a day, and values of a tag a day. What is beyond is `other`.

Without these limits one caller that puts a request id into a tag would make a row of the rollups for every call.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from metering.recording.tallies import OTHER, TagKey
from tokonomics.ids import new_id

if TYPE_CHECKING:
    import psycopg

    from metering.recording.batch import Batch
    from metering.recording.facts import Facts

    Cursor = psycopg.Cursor[Any]

LIMIT = 1000
REMEMBERED = 500_000
"""Names that are kept in memory before it starts afresh."""
REMEMBERED_FACTS = 50_000

LOCK = """
SELECT count(pg_advisory_xact_lock(number))
FROM (SELECT hashtextextended(workspace, 0) AS number FROM unnest(%s::text[]) workspace ORDER BY 1) ordered
"""
KNOWN_CLIENTS = """
SELECT workspace_id::text, slug FROM metering_client
WHERE (workspace_id, slug) IN (SELECT * FROM unnest(%s::uuid[], %s::text[]))
"""
NEW_TODAY = """
SELECT workspace_id::text, count(*) FROM metering_client
WHERE workspace_id = ANY(%s::uuid[]) AND confirmed_at IS NULL AND slug <> %s
  AND created_at >= date_trunc('day', now(), 'UTC')
GROUP BY workspace_id
"""
MAKE_CLIENTS = """
INSERT INTO metering_client (id, workspace_id, slug, name, timezone, created_at)
SELECT new.id, workspace.id, new.slug, new.slug, '', now()
FROM unnest(%s::uuid[], %s::uuid[], %s::text[]) AS new (id, workspace_id, slug)
JOIN tokonomics_workspace workspace ON workspace.id = new.workspace_id
ON CONFLICT DO NOTHING
"""
VALUES = """
SELECT workspace_id::text, to_char(day, 'YYYY-MM-DD'), tag_key, tag_value FROM daily_tag_usage
WHERE (workspace_id, day, tag_key) IN (SELECT * FROM unnest(%s::uuid[], %s::date[], %s::text[])) AND tag_value <> %s
"""

ClientKey = tuple[str, str]
TagGroup = tuple[str, str, str]


class Names:
    """The names that the ledger is known to have. To be thrown away with a transaction that failed."""

    def __init__(self) -> None:
        self.admitted: set[tuple[Facts, str]] = set()
        """Facts, and the day, of calls that brought in nothing unknown: there is no need to look at them again."""
        self.clients: set[ClientKey] = set()
        self.values: defaultdict[TagGroup, set[str]] = defaultdict(set)
        """The values of a tag by (workspace, day, tag key), `other` left out. A full set is complete for good."""

    def admit(self, cursor: Cursor, batch: Batch) -> set[TagKey]:
        """Make the new clients of a batch, rename those beyond the limit, and return the tag values beyond theirs.

        Before anything else of the batch is written: two recorders with new names of one workspace take turns here.
        """
        self._forget()
        new = {(facts, day) for facts, day, _ in batch.tallies.groups} - self.admitted
        clients = {(facts.workspace, facts.client) for facts, _ in new if facts.client}
        unknown = sorted(clients - self.clients)
        beyond, groups = self._new_values(new)
        workspaces = {workspace for workspace, _ in unknown} | {workspace for workspace, _, _ in groups}
        if workspaces:
            cursor.execute(LOCK, [list(workspaces)])
        if unknown and (renamed := self._admit_clients(cursor, unknown)):
            batch.rename_clients(renamed)
        if groups:
            beyond |= self._admit_values(cursor, groups)
        self.admitted.update(seen for seen in new if self._holds(*seen, beyond))
        return beyond

    def _holds(self, facts: Facts, day: str, beyond: set[TagKey]) -> bool:
        """Whether all names of these calls are known, so that none has to be replaced."""
        named = not facts.client or (facts.workspace, facts.client) in self.clients
        return named and beyond.isdisjoint(_values(facts, day))

    def _forget(self) -> None:
        if len(self.admitted) > REMEMBERED_FACTS:
            self.admitted.clear()
        if len(self.clients) > REMEMBERED:
            self.clients.clear()
        if sum(map(len, self.values.values())) > REMEMBERED:
            self.values.clear()

    # clients

    def _admit_clients(self, cursor: Cursor, unknown: list[ClientKey]) -> dict[ClientKey, str]:
        cursor.execute(KNOWN_CLIENTS, _columns(unknown))
        self.clients.update(cursor.fetchall())
        missing = [key for key in unknown if key not in self.clients]
        if not missing:
            return {}
        cursor.execute(NEW_TODAY, [list({workspace for workspace, _ in missing}), OTHER])
        counts = defaultdict(int, cursor.fetchall())
        made: set[ClientKey] = set()
        beyond: dict[ClientKey, str] = {}
        for workspace, slug in missing:
            if slug == OTHER or counts[workspace] < LIMIT:
                counts[workspace] += slug != OTHER
                made.add((workspace, slug))
            else:
                made.add((workspace, OTHER))
                beyond[workspace, slug] = OTHER
        self._make_clients(cursor, made)
        return beyond

    def _make_clients(self, cursor: Cursor, keys: set[ClientKey]) -> None:
        workspaces, slugs = _columns(keys)
        cursor.execute(MAKE_CLIENTS, [[new_id() for _ in keys], workspaces, slugs])
        self.clients |= keys

    # tag values

    def _new_values(self, seen: Iterable[tuple[Facts, str]]) -> tuple[set[TagKey], dict[TagGroup, list[str]]]:
        """Unseen values: those of a tag that is full, and those of tags that may have room."""
        beyond: set[TagKey] = set()
        groups: defaultdict[TagGroup, list[str]] = defaultdict(list)
        for key in sorted({key for facts, day in seen for key in _values(facts, day)}):
            group, value = key[:3], key[3]
            known = self.values.get(group, ())
            if value in known or value == OTHER:
                continue
            if len(known) < LIMIT:
                groups[group].append(value)
            else:
                beyond.add(key)
        return beyond, groups

    def _admit_values(self, cursor: Cursor, groups: dict[TagGroup, list[str]]) -> set[TagKey]:
        cursor.execute(VALUES, [*_columns(groups), OTHER])
        for *group, value in cursor.fetchall():
            workspace, day, tag = group
            self.values[workspace, day, tag].add(value)
        beyond: set[TagKey] = set()
        for group, values in groups.items():
            known = self.values[group]
            for value in values:
                if value in known:
                    continue
                if len(known) < LIMIT:
                    known.add(value)
                else:
                    beyond.add((*group, value))
        return beyond


def _values(facts: Facts, day: str) -> list[TagKey]:
    """The values of tags that calls bring in."""
    return [(facts.workspace, day, tag, value) for tag, value in facts.tags.items()]


def _columns(keys: Iterable[tuple[str, ...]]) -> list[list[str]]:
    """Tuples as one list a column."""
    return [list(column) for column in zip(*keys, strict=True)]
