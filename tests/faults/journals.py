"""Who writes down what: one JSON object a line, each with one write(), so that a kill leaves whole lines."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any


class Journal:
    """A file that is only ever added to."""

    def __init__(self, path: str) -> None:
        self.file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def write(self, **entry: Any) -> None:
        """Append a line."""
        os.write(self.file, json.dumps(entry).encode() + b"\n")


def entries(path: Path, **wanted: Any) -> list[dict[str, Any]]:
    """The lines of a journal whose fields have the wanted values."""
    found = [json.loads(line) for line in path.read_bytes().splitlines()]
    return [entry for entry in found if all(entry[name] == value for name, value in wanted.items())]
