"""Lines of the spool as records that PostgreSQL can take. Pure."""

from __future__ import annotations

from typing import Any

from metering.records import decode

Record = dict[str, Any]


def understand(line: bytes) -> Record:
    """The record of a line, without what PostgreSQL cannot store. Raises BadLine."""
    record = decode(line)
    return without_nul(record) if b"\\" in line and b"\\u0000" in line else record


def without_nul(value: Any) -> Any:
    """The value with each NUL character replaced: JSON knows it, PostgreSQL's text does not."""
    if isinstance(value, str):
        return value.replace("\0", "\ufffd")
    if isinstance(value, dict):
        return {without_nul(name): without_nul(item) for name, item in value.items()}
    return [without_nul(item) for item in value] if isinstance(value, list) else value
