"""A Redis of a test's own, to be emptied, stopped in its tracks, killed and started again."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import threading
from pathlib import Path
from typing import Any

import redis

from tokonomics import embedded
from tokonomics.embedded.folders import make_folders


class RedisServer:
    """A real Redis over a folder; what it holds is gone when it is killed."""

    def __init__(self, folder: Path) -> None:
        self.engine = embedded.Redis(folder, durable=False)
        make_folders(folder)
        self.engine.prepare()
        self.process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def url(self) -> str:
        """What a client connects to."""
        return f"unix://{self.engine.socket}?db=0"

    def start(self) -> None:
        """Serve, on the same socket as ever."""
        self.process = subprocess.Popen(self.engine.command(), stdout=subprocess.DEVNULL)
        pause = threading.Event()
        for _ in range(500):
            if self.engine.ready():
                return
            pause.wait(0.02)
        raise AssertionError("Redis did not start within ten seconds")

    def kill(self) -> None:
        """End it without a word."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def stop(self) -> None:
        """Freeze it: connections stay open, and nothing answers."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a frozen one go on."""
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    def client(self, **options: Any) -> contextlib.closing[redis.Redis]:
        """A connection to look inside; closed after its `with` block."""
        return contextlib.closing(redis.Redis(unix_socket_path=str(self.engine.socket), **options))
