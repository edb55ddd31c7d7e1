"""The events of a selection as CSV: RFC 4180, UTF-8, formula-safe, streamed out of the database as it writes it.

PostgreSQL makes the lines (COPY), so that a million rows take no memory here and hardly any time.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Case, CharField, Expression, F, Func, QuerySet, TextField, Value, When
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast, NullIf
from django.db.models.lookups import Regex
from django.utils.text import slugify

from metering.filters import EventFilter
from metering.ledger import DailyTagUsage, UsageEvent
from metering.selection import events
from metering.snapshot import snapshot

CHUNK = 64 * 1024
"""Bytes: the least that goes out at a time, but for the end."""
HELD = CHUNK * 3 // 2
"""Bytes of COPY's lines that make more than a chunk, since the marks of their ends are taken out."""
MOST_TAG_COLUMNS = 1000
"""PostgreSQL has room for 1,664 columns; a tag beyond these is still in the column `tags`."""

FORMULA = r"""(^|\r\n|[\r\n])(?!-?[0-9.,]+$)([\s\u00a0\u200b\ufeff'"]*[=+\-@|%＝＋－＠]|[\t\r])"""
"""What a spreadsheet may take for a formula: at the start of a cell or of a line in it, behind blanks and quotes too.
A plain number is none. (PostgreSQL's dialect of regular expressions.)"""


PLAIN = r"^[[:alnum:]][^\r\n]*$"
"""What cannot hold a formula, which is nearly every cell: cheap to see, where to look for formulas is not."""


def safe(text: Expression | F | Func) -> Case:
    """Text that no spreadsheet runs: an apostrophe goes before whatever could begin a formula."""
    return Case(When(Regex(text, PLAIN), then=text), default=Escaped(text, Value(FORMULA)), output_field=TextField())


class Escaped(Func):
    """Text with an apostrophe before every match of a pattern's second group."""

    function = "regexp_replace"
    template = "%(function)s(%(expressions)s, E'\\\\1''\\\\2', 'g')"
    output_field = TextField()


class Dollars(Func):
    """Nano-USD as USD in plain digits, without trailing zeros; null stays null."""

    template = "trim_scale(%(expressions)s * 0.000000001)"
    output_field = TextField()


class Instant(Func):
    """ISO 8601 in UTC with microseconds."""

    template = """to_char(%(expressions)s AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""
    output_field = TextField()


COLUMNS: dict[str, Expression | F] = {
    "event_id": F("id"),
    "timestamp": Instant(F("admitted_at")),
    "client": safe(NullIf(F("client"), Value("", output_field=TextField()))),
    "provider": safe(F("provider")),
    "model": safe(F("model")),
    "endpoint": F("endpoint"),
    "input_tokens": F("input_tokens"),
    "cache_read_tokens": F("cache_read_tokens"),
    "cache_write_tokens": F("cache_write_tokens"),
    "output_tokens": F("output_tokens"),
    "reasoning_tokens": F("reasoning_tokens"),
    "total_tokens": F("input_tokens") + F("output_tokens"),
    "cost_usd": Dollars(F("cost")),
    "price": Dollars(F("price")),
    "currency": Value("USD"),
    "status": F("status"),
    "estimated": Case(When(estimated=True, then=Value("true")), default=Value("false"), output_field=CharField()),
    "latency_ms": F("latency_ms"),
    "api_key": safe(F("key_name")),
    "tags": Cast("tags", TextField()),
}
"""The first columns, in their order; then one `tag.<key>` for each tag key of the selection."""


def events_csv(workspace_id: UUID, chosen: EventFilter) -> Iterator[bytes]:
    """The file in pieces of at least `CHUNK` bytes, newest event first, all of one state of the ledger."""
    with snapshot():
        keys = tag_keys(workspace_id, chosen)
        header = ",".join([*COLUMNS, *(f"tag.{key}" for key in keys)]) + "\r\n"
        yield from _copied(header.encode(), events(workspace_id, chosen), keys)


def tag_keys(workspace_id: UUID, chosen: EventFilter) -> list[str]:
    """The tag keys of the selection, sorted (1 query)."""
    found: QuerySet[Any, str]
    if chosen.narrowed:
        names = events(workspace_id, chosen).annotate(name=Func(F("tags"), function="jsonb_object_keys"))
        found = names.values_list("name", flat=True)
    else:
        rows = DailyTagUsage.objects.filter(
            workspace_id=workspace_id, day__range=(chosen.period.first, chosen.period.last)
        )
        found = rows.values_list("tag_key", flat=True)
    return sorted(found.distinct())[:MOST_TAG_COLUMNS]


def file_name(workspace_name: str, chosen: EventFilter) -> str:
    """A name that every file system takes: `northlight-studio-2026-06-01-2026-06-23.csv`."""
    parts = [slugify(workspace_name)[:60] or "workspace", str(chosen.period.first), str(chosen.period.last)]
    return "-".join(parts) + ".csv"


def _rows(selected: QuerySet[UsageEvent, UsageEvent], keys: Sequence[str], mark: str) -> QuerySet[UsageEvent, Any]:
    tags = [safe(KeyTextTransform(key, "tags")) for key in keys]
    columns = {f"c{number}": column for number, column in enumerate([*COLUMNS.values(), *tags, Value(mark)])}
    return selected.order_by("-admitted_at", "-id").annotate(**columns).values_list(*columns)


def _copied(header: bytes, selected: QuerySet[UsageEvent, UsageEvent], keys: Sequence[str]) -> Iterator[bytes]:
    """COPY ends lines with a bare line feed: a last column that nobody can guess says where to put the CR LF."""
    mark = secrets.token_hex(16)
    ending = f",{mark}\n".encode()
    query, parameters = _rows(selected, keys, mark).query.sql_with_params()
    copied = f"COPY ({query}) TO STDOUT (FORMAT csv, ENCODING 'UTF8')"
    held = bytearray(header)
    # Django's debugging cursor takes no parameters here, psycopg's own below it does.
    with connection.cursor() as cursor, cursor.cursor.copy(copied, parameters) as copy:
        for line in copy:
            held += line
            if len(held) >= HELD and held.endswith(ending):
                yield bytes(held.replace(ending, b"\r\n"))
                held.clear()
    if held:
        yield bytes(held.replace(ending, b"\r\n"))
