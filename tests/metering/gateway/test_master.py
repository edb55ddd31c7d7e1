"""Processes of the gateway on one port, from their fork to their end."""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TypeVar

import psutil
import pytest

from metering.gateway.gateway import Times
from metering.gateway.master import Master
from metering.gateway.request import Limits
from metering.gateway.worker import Configuration
from tests.metering.gateway.conftest import KEYRING, eventually

WORKERS = 3
M = TypeVar("M", bound=Master)


class Childless(Master):
    """Notes for which slots it would fork a worker."""

    forked: list[int]

    def _fork(self, slot: int) -> None:
        self.forked.append(slot)


def gateway(port: int, spool: str, kind: type[M]) -> M:
    """A gateway whose database is away."""
    configuration = Configuration(
        database={"host": "127.0.0.1", "port": 1},
        keyring=KEYRING,
        redis_url="redis://127.0.0.1:1/0",
        processes=WORKERS,
        spool_directory=Path(spool),
        spool_max_bytes=2**20,
        spool_sync=False,
        site_socket="",
        limits=Limits(),
        times=Times(),
        connect_seconds=1,
        shutdown_seconds=30,
        allow_private=True,
        trust_forwarded=False,
    )
    return kind("127.0.0.1", port, WORKERS, configuration)


def serve(port: int, spool: str, *, told_to_end_at_birth: bool = False) -> None:
    """Run a gateway; if asked, its first worker gets SIGTERM before it has done anything."""
    firstborn = Path(spool) / "firstborn"

    def tell() -> None:
        if not firstborn.exists():
            firstborn.write_text(str(os.getpid()))
            os.kill(os.getpid(), signal.SIGTERM)

    if told_to_end_at_birth:
        os.register_at_fork(after_in_child=tell)
    gateway(port, spool, Master).run()


@pytest.fixture
def port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        return int(listener.getsockname()[1])


@pytest.fixture
def options() -> dict[str, bool]:
    return {}


@pytest.fixture
def master(port: int, tmp_path: Path, options: dict[str, bool]) -> Iterator[psutil.Process]:
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(port, str(tmp_path)), kwargs=options)
    process.start()
    assert process.pid
    found = psutil.Process(process.pid)
    workers: list[psutil.Process] = []
    try:
        workers = eventually(lambda: serving(found, port), 30)
        yield found
    finally:
        process.terminate()
        process.join(30)
        psutil.wait_procs(workers, 30)


def serving(master: psutil.Process, port: int) -> list[psutil.Process]:
    """The master's workers, once all of them take connections."""
    workers = master.children()
    return workers if len(workers) == WORKERS and all(listening(worker, port) for worker in workers) else []


def listening(process: psutil.Process, port: int) -> int:
    """How many sockets on which a process could accept connections it holds; none when it has just ended."""
    try:
        found = process.net_connections("tcp")
    except psutil.NoSuchProcess:
        return 0
    return sum(one.status == psutil.CONN_LISTEN and one.laddr.port == port for one in found)


def status(port: int) -> int:
    """What /healthz answers a new connection."""
    with closing(socket.create_connection(("127.0.0.1", port), timeout=5)) as client:
        client.sendall(b"GET /healthz HTTP/1.1\r\nhost: gateway\r\n\r\n")
        return int(client.recv(100).split()[1])


def test_the_dead_masters_port_is_free_while_its_workers_end_their_calls(master: psutil.Process, port: int) -> None:
    """A listening socket that nobody accepts on would swallow the next master's calls."""
    workers = master.children()
    waiting = [socket.create_connection(("127.0.0.1", port)) for _ in range(20)]
    for connection in waiting:
        connection.sendall(b"POST /proxy/sandbox/v1/models HTTP/1.1\r\nhost: gateway\r\ncontent-length: 1\r\n\r\n")
    eventually(lambda: sum(len(worker.net_connections("tcp")) for worker in workers) >= WORKERS + 20)
    master.kill()
    eventually(lambda: not any(listening(worker, port) for worker in workers))
    assert all(worker.is_running() for worker in workers)
    with pytest.raises(ConnectionRefusedError):
        status(port)
    for connection in waiting:
        connection.close()


def test_a_killed_worker_is_replaced_and_refuses_nobody(master: psutil.Process, port: int) -> None:
    victim = master.children()[0]
    victim.kill()
    assert [status(port) for _ in range(20)] == [503] * 20  # the database is away, and that is what they say
    eventually(lambda: len(set(serving(master, port)) - {victim}) == WORKERS)


def test_workers_are_replaced_one_for_one_on_sighup(master: psutil.Process, port: int) -> None:
    before = set(master.children())
    os.kill(master.pid, signal.SIGHUP)
    assert [status(port) for _ in range(20)] == [503] * 20
    eventually(lambda: len(set(serving(master, port)) - before) == WORKERS, 30)


@pytest.mark.parametrize("options", [{"told_to_end_at_birth": True}])
def test_a_worker_can_be_told_to_end_from_its_birth(master: psutil.Process, tmp_path: Path) -> None:
    firstborn = int((tmp_path / "firstborn").read_text())
    assert firstborn not in [worker.pid for worker in master.children()]


def test_a_worker_is_replaced_once_though_its_death_is_heard_before_its_farewell(port: int, tmp_path: Path) -> None:
    master = gateway(port, str(tmp_path), Childless)
    master.forked = []

    def reaped() -> bool:
        master._reap()
        return not master.slots

    with subprocess.Popen(["true"]) as worker:
        master.slots, master.serving, master.born = {worker.pid: 0}, {0: worker.pid}, {worker.pid: 0.0}
        eventually(reaped)
    master._succeed(worker.pid)
    for listener in master.listeners:
        listener.close()
    assert master.forked == [0]
