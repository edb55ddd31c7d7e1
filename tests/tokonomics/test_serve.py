"""The whole product, started as `make run` starts it, in a folder of its own."""

from __future__ import annotations

import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psutil
import pytest

from tokonomics import embedded
from tokonomics.embedded import Engine, Postgres, Redis, locks

ROOT = Path(__file__).parents[2]
UNSET = ("DATABASE_URL", "REDIS_URL", "EMAIL_URL", "PUBLIC_URL", "SPOOL_DIR", "SITE_SOCKET", "LISTEN_ADDRESS")


def free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        return int(listener.getsockname()[1])


class Product:
    """A running `manage.py serve` and what it has printed."""

    def __init__(self, data_dir: Path, port: int, **environment: str) -> None:
        self.data_dir = data_dir
        self.port = port
        self.log = data_dir.with_suffix(".log")
        kept = {name: value for name, value in os.environ.items() if name not in UNSET}
        own = {"DATA_DIR": str(data_dir), "PORT": str(port), "DJANGO_SETTINGS_MODULE": "tokonomics.settings"}
        with self.log.open("wb") as output:
            self.process = psutil.Popen(
                [sys.executable, "manage.py", "serve", "--workers", "1"],
                cwd=ROOT,
                env=kept | own | environment,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def printed(self, pattern: str) -> int:
        """How many lines match."""
        return len(re.findall(pattern, self.log.read_text(), re.MULTILINE))

    def until(self, condition: Callable[[], bool]) -> None:
        """Wait for something that must happen while it runs."""
        deadline = time.monotonic() + 120
        while not condition():
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.1)

    def status(self, path: str) -> int:
        """What a GET is answered with; 0 without an answer."""
        try:
            with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)) as client:
                client.request("GET", path)
                return client.getresponse().status
        except OSError:
            return 0

    def part(self, word: str) -> psutil.Process:
        """The process of a part, by a word of its command line."""
        return next(child for child in self.process.children() if word in child.as_dict(["cmdline"], [])["cmdline"])

    def kill_engine(self, engine: Engine) -> None:
        pid = locks.holder(embedded.lock_of(engine))
        assert pid
        os.kill(pid, signal.SIGKILL)


@contextmanager
def product(data_dir: Path, port: int, **environment: str) -> Iterator[Product]:
    """A product that is stopped afterwards, however the test went."""
    running = Product(data_dir, port, **environment)
    try:
        yield running
    finally:
        if running.process.poll() is None:
            running.process.terminate()
        try:
            running.process.wait(60)
        except psutil.TimeoutExpired:
            running.process.kill()


def test_everything_starts_heals_and_stops(tmp_path: Path) -> None:
    with product(tmp_path / "data", free_port()) as running:
        running.until(lambda: running.printed(r"^ready +\| Tokonomics is on http") == 1)
        assert running.status("/healthz") == 200
        assert running.status("/accounts/login/") == 200
        parts = {"gateway": "gateway", "recorder": "recorder", "worker": "worker", "beat": "beat", "site": "gunicorn"}
        before = {name: running.part(word) for name, word in parts.items()}

        for process in before.values():
            process.kill()
        running.kill_engine(Postgres(running.data_dir))
        running.kill_engine(Redis(running.data_dir))
        for name in (*parts, "postgres", "redis"):
            running.until(lambda name=name: running.printed(rf"^{name} +\| was killed by SIGKILL") == 1)  # type: ignore[misc]
        running.until(lambda: len(running.process.children()) == 7)
        running.until(lambda: running.status("/healthz") == 200 and running.status("/accounts/login/") == 200)
        assert all(running.part(word) != before[name] for name, word in parts.items())

        running.process.send_signal(signal.SIGINT)
        assert running.process.wait(60) == 0
        assert running.status("/healthz") == 0
    for engine in (Postgres(running.data_dir), Redis(running.data_dir)):
        assert not embedded.running(engine)


def test_a_port_in_use_is_said_before_anything_starts(tmp_path: Path) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = int(taken.getsockname()[1])
        with product(tmp_path / "data", port) as running:
            assert running.process.wait(60) == 1
    assert running.printed(
        rf"Port {port} on 127\.0\.0\.1 is in use by .* \(process {os.getpid()}\)\. .*PORT={port + 1}$"
    )
    assert not (running.data_dir / "postgres").exists()


def test_a_data_dir_in_use_is_said(tmp_path: Path) -> None:
    with locks.sole(tmp_path / "data" / "log" / "serve.lock"), product(tmp_path / "data", free_port()) as running:
        assert running.process.wait(60) == 1
    assert running.printed(r"already runs with DATA_DIR .*data: stop it first")


def test_a_setting_that_is_nonsense_is_said_in_one_line(tmp_path: Path) -> None:
    with product(tmp_path / "data", free_port(), GATEWAY_WORKERS="many") as running:
        assert running.process.wait(60) == 1
    assert running.log.read_text() == "GATEWAY_WORKERS is 'many': set it to a whole number from 1 to 256.\n"


@pytest.mark.parametrize("url", ["mysql://127.0.0.1/meter", "postgresql://127.0.0.1"])
def test_a_database_url_that_is_none_is_said_in_one_line(tmp_path: Path, url: str) -> None:
    with product(tmp_path / "data", free_port(), DATABASE_URL=url) as running:
        assert running.process.wait(60) == 1
    (line,) = running.log.read_text().splitlines()
    assert line.startswith("DATABASE_URL ")


def test_a_single_command_has_the_engines_for_its_time(tmp_path: Path) -> None:
    kept = {name: value for name, value in os.environ.items() if name not in UNSET}
    own = {"DATA_DIR": str(tmp_path / "data"), "DJANGO_SETTINGS_MODULE": "tokonomics.settings"}
    question = "from django.db import connection; print(connection.ensure_connection())"
    words = [sys.executable, "manage.py", "shell", "--no-imports", "-c", question]
    done = subprocess.run(words, cwd=ROOT, env=kept | own, capture_output=True, text=True, check=True)
    assert done.stdout == "None\n"
    assert not embedded.running(Postgres(tmp_path / "data"))
