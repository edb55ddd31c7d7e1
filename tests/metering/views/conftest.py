from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine

NOW = datetime(2026, 6, 23, 14, 32, 7, tzinfo=UTC)


@pytest.fixture
def june() -> Iterator[None]:
    """It is 23 June 2026, 14:32:07 UTC: 16:32:07 for the workspace."""
    with time_machine.travel(NOW, tick=False):
        yield


def words(response: Any) -> str:
    """What a page says, without its marks and with single spaces."""
    bare = re.sub(r"<(script|style|svg)\b.*?</\1>|<[^>]+>", " ", response.content.decode(), flags=re.DOTALL)
    return re.sub(r"\s+", " ", bare.replace("&nbsp;", " ").replace("\N{NO-BREAK SPACE}", " ")).replace("&#x27;", "'")
