"""What a result has in common with those of all calls of the same head: the recorder reads it once. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import orjson

from metering.recording.binary import boolean, jsonb, plain, uuid
from metering.records import BadLine, intact

MEMBERS = ("workspace", "client", "key", "key_name", "credential", "provider", "endpoint", "tags", "test")
"""What gateways write in one piece, in this order."""
COLUMNS = "workspace_id, client, key_id, key_name, credential_id, provider, endpoint, tags, test"
"""The columns of `usage_event` that hold them, as in `Facts.columns`."""

JSON_AT = 9
RESULT = b'{"kind":"result",'
BEGINNING = b',"workspace":"'
ENDS = (b',"test":false', b',"test":true')
REMEMBERED = 32_768
"""How many are kept, of some two kilobytes each."""


@dataclass(frozen=True, slots=True, eq=False)
class Facts:
    """What rollups and budgets go by, and all MEMBERS as binary columns. Two of the same content may differ."""

    workspace: str
    client: str
    key: str
    provider: str
    tags: dict[str, str]
    columns: bytes


def facts_of(result: dict[str, Any]) -> Facts:
    """The facts of a whole result. Raises KeyError, TypeError, ValueError or AttributeError where they are none."""
    facts = _facts(orjson.dumps({name: result[name] for name in MEMBERS})[1:-1])
    assert facts is not None
    return facts


def halves(line: bytes) -> tuple[Facts, dict[str, Any]] | None:
    """The facts of a result's line and all its other members; None: not written as gateways do, to be read as a whole.

    Raises BadLine, or what `facts_of` raises.
    """
    if not line.startswith(RESULT, JSON_AT) or (b"\\" in line and b"\\u0000" in line):
        return None
    text = intact(line)
    start, end = _bounds(text)
    facts = _facts(text[start + 1 : end]) if start < end else None
    if facts is None:
        return None
    try:
        return facts, orjson.loads(text[:start] + text[end:])
    except orjson.JSONDecodeError as error:
        raise BadLine("The line is not JSON.") from error


def _bounds(text: bytes) -> tuple[int, int]:
    """From the comma before the facts to their end; no end where there are none."""
    start = text.find(BEGINNING)
    for mark in ENDS:  # no tag is mistaken for it: their values are texts
        end = text.find(mark, start)
        if end >= 0 <= start:
            return start, end + len(mark)
    return 0, 0


@lru_cache(maxsize=REMEMBERED)
def _facts(text: bytes) -> Facts | None:
    """The facts of their JSON without its braces; None when there is more in it, or less."""
    try:
        found = orjson.loads(b"{%b}" % text)
    except orjson.JSONDecodeError:
        return None
    if found.keys() != set(MEMBERS):
        return None
    tags = found["tags"]
    "".join(tags.values())  # raises TypeError unless all of them are texts
    columns = (
        uuid(found["workspace"]),
        plain(found["client"]),
        uuid(found["key"]),
        plain(found["key_name"]),
        uuid(found["credential"]),
        plain(found["provider"]),
        plain(found["endpoint"]),
        jsonb(tags),
        boolean(found["test"]),
    )
    return Facts(found["workspace"], found["client"], found["key"], found["provider"], tags, b"".join(columns))
