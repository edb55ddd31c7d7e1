"""The recorder, and PostgreSQL under it, killed in the middle of their work: the ledger ends as if nothing had been."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import psycopg
import pytest

from metering.verify import Scope, differences
from tests.spooled import NOON, Process, intent, parameters, record, result, rows, totals
from tokonomics import embedded
from tokonomics.embedded.folders import make_folders
from tokonomics.environment import socket_directory
from tokonomics.ids import new_id
from tokonomics.models import Workspace

ROOT = Path(__file__).parents[2]
KILLS = 4
OFFSETS = 'SELECT coalesce(sum("offset"), 0) FROM spool_file'
EVENTS = "SELECT count(*) FROM usage_event"


class Traffic:
    """Gateway processes that go on writing calls, 50 a turn, from a thread; `calls` and `cost` are what they wrote."""

    def __init__(self, directory: Path, workspace: UUID) -> None:
        self.workspace = workspace
        self.processes = [Process(directory) for _ in range(3)]
        self.calls = self.cost = self.open = 0
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self._flow)
        self.thread.start()

    def _flow(self) -> None:
        for turn in range(100_000):
            process = self.processes[turn % 3]
            called = [intent(self.workspace, at=NOON + turn, client=f"c{number % 5}") for number in range(50)]
            lost = turn % 7
            answers = [result(call, cost=turn + number) for number, call in enumerate(called[lost:])]
            process.write(*called, *answers, segment=turn // 60)
            self.calls += len(called)
            self.open += lost
            self.cost += sum(answer["cost"] for answer in answers) + lost * 100_000
            if self.stopping.wait(0.02):
                return

    def end(self) -> None:
        """Have all processes die, with some of their calls still open."""
        self.stopping.set()
        self.thread.join()
        for process in self.processes:
            process.kill()


def environment(data_dir: Path, place: dict[str, Any]) -> dict[str, str]:
    """That of a process of the product with a database elsewhere."""
    return os.environ | {
        "DJANGO_SETTINGS_MODULE": "tokonomics.settings",
        "DATA_DIR": str(data_dir),
        "DATABASE_URL": f"postgresql:///?{urlencode(place)}",
        "REDIS_URL": "redis://127.0.0.1:1/0",
    }


@contextmanager
def recorder(spool: Path, database: dict[str, Any]) -> Iterator[subprocess.Popen[bytes]]:
    """`manage.py recorder`, as it runs in production; killed at the end if it still lives."""
    place = {name: value for name, value in database.items() if name in ("host", "port", "user", "password", "dbname")}
    variables = environment(spool.parent / "recorder", place) | {"SPOOL_DIR": str(spool)}
    process = subprocess.Popen([sys.executable, "manage.py", "recorder"], cwd=ROOT, env=variables)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def eventually(condition: Callable[[], Any], seconds: float = 60) -> None:
    """Wait until something is true; fail when it does not come true."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not come true"
        time.sleep(0.005)


def in_transaction() -> bool:
    """Whether a recorder is writing at this moment."""
    query = "SELECT count(backend_xid) FROM pg_stat_activity WHERE application_name = 'tokonomics recorder'"
    return bool(rows(query)[0][0])


def moved(before: list[tuple[Any, ...]]) -> bool:
    """Whether more is recorded than before."""
    return rows(OFFSETS) != before


@pytest.mark.django_db(transaction=True)
def test_a_recorder_that_is_killed_again_and_again_counts_every_call_once(workspace: Workspace, tmp_path: Path) -> None:
    spool = tmp_path / "spool"
    traffic = Traffic(spool, workspace.pk)
    try:
        for _ in range(KILLS):
            before = rows(OFFSETS)
            with recorder(spool, parameters()) as process:
                eventually(partial(moved, before))
                time.sleep(random.uniform(0, 0.2))
                eventually(in_transaction)
                process.send_signal(signal.SIGKILL)
    finally:
        traffic.end()
    record(spool)
    assert totals() == dict.fromkeys(("events", "daily_usage", "client", "project"), (traffic.calls, traffic.cost))
    assert rows("SELECT count(*) FROM usage_event WHERE flags = '[\"orphan\"]'") == [(traffic.open,)]
    assert not list(differences(Scope()))
    assert not list(spool.glob("*.spool"))
    assert not list(spool.glob("*.bad"))


class Engine:
    """A PostgreSQL of this test's own, with the product's tables."""

    def __init__(self, data_dir: Path) -> None:
        self.postgres = embedded.Postgres(data_dir, durable=False)
        self.place: dict[str, Any] = {"host": str(self.postgres.sockets), "user": "tokonomics", "dbname": "tokonomics"}
        make_folders(data_dir)
        self.start()

    def start(self) -> None:
        """Have it serve; it recovers first if it was killed."""
        command = embedded.command_of(self.postgres, wait=True)
        self.process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL)
        eventually(self.postgres.ready)

    def kill(self) -> None:
        """The postmaster goes without a word; its children notice and follow."""
        self.process.kill()
        self.process.wait()


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = Engine(tmp_path / "engine")
    command = [sys.executable, "manage.py", "migrate", "--verbosity=0"]
    subprocess.run(command, cwd=ROOT, env=environment(tmp_path / "migrate", engine.place), check=True)
    yield engine
    engine.kill()
    shutil.rmtree(socket_directory(engine.postgres.data_dir), ignore_errors=True)


def ask(engine: Engine, query: str) -> Any:
    with psycopg.connect(**engine.place) as connection:
        return connection.execute(query).fetchone()


def await_more(engine: Engine) -> None:
    """Wait until there are more events than now."""
    before = ask(engine, EVENTS)
    eventually(lambda: ask(engine, EVENTS) > before)


def test_a_database_that_is_killed_again_and_again_gets_every_call_once(engine: Engine, tmp_path: Path) -> None:
    spool = tmp_path / "spool"
    traffic = Traffic(spool, new_id())
    try:
        with recorder(spool, engine.place) as process:
            for _ in range(3):
                await_more(engine)
                engine.kill()
                time.sleep(0.5)
                engine.start()
            await_more(engine)
            traffic.end()
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0
    finally:
        if traffic.thread.is_alive():
            traffic.end()
    assert ask(engine, "SELECT count(*), sum(cost) FROM usage_event") == (traffic.calls, traffic.cost)
    assert ask(engine, "SELECT sum(calls), sum(cost) FROM daily_usage") == (traffic.calls, traffic.cost)
    assert ask(engine, "SELECT sum(calls), sum(cost) FROM daily_tag_usage WHERE tag_key = 'client'") == (
        traffic.calls,
        traffic.cost,
    )
    assert not list(spool.glob("*.spool"))
