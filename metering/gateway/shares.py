"""What this process alone knows of the last minute of each key, and the share of each limit that it may let through."""

from __future__ import annotations

import time
from typing import NamedTuple

from metering.gateway.window import Window

WINDOWS = 1_000


class Use(NamedTuple):
    """What a call wants to take, and the limits of its key; None: no limit."""

    key: str
    requests_per_minute: int | None
    tokens_per_minute: int | None
    tokens: int


def milliseconds() -> int:
    """The clock of this process's windows."""
    return time.monotonic_ns() // 1_000_000


class Shares:
    """The windows of one of `processes` gateway processes."""

    def __init__(self, processes: int) -> None:
        self.processes = max(1, processes)
        self.windows: dict[str, Window] = {}
        self.room = WINDOWS

    def take(self, use: Use) -> int:
        """Count a call if this process's share has room for it; else returns in how many milliseconds it has.

        A call of more tokens than the share, but not than the limit, takes a whole share: it fits when it is alone.
        """
        most_tokens = self._share(use.tokens_per_minute)
        tokens = use.tokens if most_tokens is None else min(use.tokens, most_tokens)
        now = milliseconds()
        return self._window(use.key, now).take(now, self._share(use.requests_per_minute), most_tokens, 1, tokens)

    def note(self, key: str, requests: int, tokens: int) -> None:
        """Count what was decided elsewhere."""
        now = milliseconds()
        self._window(key, now).take(now, None, None, requests, tokens)

    def give_back(self, key: str, age: int, tokens: int) -> None:
        """Take tokens off that were counted at most `age` milliseconds ago and not used."""
        now = milliseconds()
        self._window(key, now).give_back(now, age, tokens)

    def _share(self, limit: int | None) -> int | None:
        return limit and max(1, limit // self.processes)

    def _window(self, key: str, now: int) -> Window:
        window = self.windows.get(key)
        if window is None:
            if len(self.windows) >= self.room:
                self.windows = {name: kept for name, kept in self.windows.items() if not kept.idle(now)}
                self.room = max(WINDOWS, 2 * len(self.windows))
            window = self.windows[key] = Window()
        return window
