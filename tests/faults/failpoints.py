"""Named places in the product where a process dies at once, when a test asks for it: the first that comes there.

The product knows nothing of them: functions are wrapped in the processes that the tests start. A file of a place's
name in the folder arms it; the process that takes the file away says in another how many clients it cuts off, and
kills itself.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import psutil

from metering.gateway.exchange import MeteredExchange
from metering.gateway.gateway import Gateway
from metering.gateway.intake import Admission
from metering.gateway.spool import Spool
from metering.recording import tail, writing
from metering.recording.orphans import orphan
from metering.recording.tail import Tail

RESULT = b'"kind":"result"'
Hit = Callable[[], None]

GATEWAY: dict[str, tuple[Any, str, str]] = {
    "its key is known": (Admission, "_reserve", "before"),
    "its caps are reserved": (Admission, "_decided", "before"),
    "its intent is written": (Gateway, "send", "before"),
    "it is sent to the provider": (Gateway, "send", "after"),
    "the answer's head was sent on": (MeteredExchange, "head", "after"),
    "a piece of the answer was sent on": (MeteredExchange, "body", "after"),
    "a stream's usage is known": (MeteredExchange, "_record_stream", "before"),
    "its last byte was sent": (MeteredExchange, "_finish", "soon"),
}
RECORDER: dict[str, tuple[Any, str, str]] = {
    "events are inserted, sums are not": (writing, "add_up", "before"),
    "all is written, not committed": (writing, "settle", "after"),
    "all is committed, and not yet known to be": (writing.Ledger, "record", "after"),
    "files that are recorded are to be deleted": (Tail, "recorded", "before"),
}
ADOPTING = "a dead process's calls are taken over"
LINES = (
    "its result is to be written",
    "half of its result is written",
    "its result is written, its last byte not sent",
)
CALL = (*GATEWAY, *LINES)
"""The places on the way of a call."""


def put(folder: Path, port: int) -> None:
    """Put all of them into this process, whose clients come to `port`."""

    def hit(name: str) -> None:
        if (folder / name).exists():
            _die(folder, name, port)

    for name, (owner, function, moment) in (GATEWAY | RECORDER).items():
        setattr(owner, function, _wrapped(getattr(owner, function), moment, lambda name=name: hit(name)))  # type: ignore[misc]
    tail.orphan = _wrapped(orphan, "before", lambda: hit(ADOPTING))  # type: ignore[attr-defined]
    Spool.append = _appending(Spool.append, hit, folder)  # type: ignore[method-assign]


def _wrapped(function: Callable[..., Any], moment: str, hit: Hit) -> Callable[..., Any]:
    @wraps(function)
    def rigged(*values: Any, **named: Any) -> Any:
        if moment == "before":
            hit()
        done = function(*values, **named)
        if moment == "after":
            hit()
        elif moment == "soon":  # the event loop sends what it was given when this turn of it ends
            asyncio.get_running_loop().call_soon(hit)
        return done

    return rigged


def _appending(append: Callable[[Spool, bytes], None], hit: Callable[[str], None], folder: Path) -> Any:
    before, half, after = LINES

    @wraps(append)
    def rigged(spool: Spool, line: bytes) -> None:
        if RESULT not in line:
            append(spool, line)
            return
        hit(before)
        if (folder / half).exists():
            os.write(spool._file, line[: line.rindex(RESULT) + len(RESULT)])
            hit(half)
        append(spool, line)
        hit(after)

    return rigged


def _die(folder: Path, name: str, port: int) -> None:
    """Be the one process that dies there, if no other was faster."""
    try:
        (folder / name).rename(folder / f"{name} (taken)")
    except FileNotFoundError:
        return
    found = psutil.Process().net_connections("tcp")
    cut = sum(one.laddr.port == port and one.status != psutil.CONN_LISTEN for one in found)
    draft = folder / f"{name} (draft)"
    draft.write_text(str(cut))
    draft.rename(folder / f"{name} (done)")
    os.kill(os.getpid(), signal.SIGKILL)
