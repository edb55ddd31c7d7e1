"""The faults: each strikes a running product and tells how many calls it can have cut off."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from random import Random

import psutil
import psycopg

from tests.faults.product import Product
from tokonomics import embedded
from tokonomics.embedded import Engine, locks

RANDOM = Random(24)
Strike = Callable[[Product], int]
ADOPTING = "a dead process's calls are taken over"
"""The place in `failpoints.py`, which imports the product and so is not imported here."""


def one_worker(product: Product) -> int:
    """One gateway process; the others go on."""
    return _kill_workers(product, [RANDOM.choice(product.workers())])


def master(product: Product) -> int:
    """The gateway's first process alone: the others end their calls, and a new one takes the port."""
    _kill([product.master()])
    return 0


def gateway(product: Product) -> int:
    """All of the gateway's processes at once."""
    first, workers = product.master(), product.workers()
    if first is not None:
        first.suspend()  # it must not replace what is about to be killed
    cut = _kill_workers(product, workers)
    _kill([first])
    return cut


def recorder(product: Product) -> int:
    """The recorder, wherever in a transaction it is."""
    _kill([product.recorder()])
    return 0


def postgres(product: Product) -> int:
    """PostgreSQL's postmaster, as in an immediate shutdown; its other processes notice and end."""
    _kill([product.engine(product.postgres)])
    return 0


def redis(product: Product) -> int:
    """Redis."""
    _kill([product.engine(product.redis)])
    return 0


def redis_and_its_data(product: Product) -> int:
    """Redis and its folder."""
    process = product.engine(product.redis)
    shutil.rmtree(product.redis.data)
    _kill([process])
    return 0


def everything(product: Product) -> int:
    """Every process of the product, what keeps them included, as when the machine loses its power; then a start."""
    everyone = [*product.process.children(recursive=True)]
    workers = product.workers()
    product.process.kill()
    cut = _kill_workers(product, workers)
    _kill(everyone)
    product.process.wait()
    product.start()
    return cut


def flushed_redis(product: Product) -> int:
    """Redis, emptied."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(product.redis.socket))
        connection.sendall(b"FLUSHALL\r\n")
        assert connection.recv(64) == b"+OK\r\n"
    return 0


def stop_and_start(product: Product) -> int:
    """The whole product, asked to stop as Ctrl-C does, and started again."""
    product.restart()
    return 0


def away(name: str, seconds: float) -> Strike:
    """An engine killed, and kept from starting again for a while."""

    def strike(product: Product) -> int:
        with absent(product, name):
            time.sleep(seconds)
        return 0

    return strike


@contextlib.contextmanager
def absent(product: Product, name: str) -> Iterator[None]:
    """An engine, killed and kept from starting again meanwhile."""
    engine = _engine(product, name)
    _kill([product.engine(engine)])
    lock = locks.take(embedded.lock_of(engine))  # free once its last process has ended
    assert lock is not None
    try:
        yield
    finally:
        os.close(lock)


def full_disk(seconds: float) -> Strike:
    """PostgreSQL away, and meanwhile a disk that takes no more of the spool than it has; then it has room again."""

    def strike(product: Product) -> int:
        with absent(product, "postgres"):
            before = {worker: worker.rlimit(psutil.RLIMIT_FSIZE) for worker in product.workers()}
            for worker, (_, most) in before.items():
                worker.rlimit(psutil.RLIMIT_FSIZE, (max(map(os.path.getsize, _segments(product, worker))), most))
            time.sleep(seconds)
            for worker, limits in before.items():
                worker.rlimit(psutil.RLIMIT_FSIZE, limits)
        return 0

    return strike


def full_share(product: Product) -> int:
    """PostgreSQL away until the spool holds all that it may."""
    with absent(product, "postgres"):
        product.until(lambda: not product.healthy())
        time.sleep(1)
    return 0


def locked_budgets(seconds: float) -> Strike:
    """Every period of every budget locked by somebody else."""

    def strike(product: Product) -> int:
        with psycopg.connect(product.ledger.place) as connection:
            connection.execute("SELECT FROM budget_period ORDER BY budget_id, starts_at FOR UPDATE")
            time.sleep(seconds)
        return 0

    return strike


def at(place: str) -> Strike:
    """The process that comes first to a place of `failpoints.py`."""
    return lambda product: product.die_at(place)


def while_adopting(product: Product) -> int:
    """One gateway process, and the recorder while it takes over what that one had under way."""
    return product.die_at(ADOPTING, lambda: one_worker(product))


def still(name: str, seconds: float) -> Strike:
    """All processes of an engine stopped where they are, to go on later."""

    def strike(product: Product) -> int:
        process = product.engine(_engine(product, name))
        everyone = [process, *process.children(recursive=True)]
        _each(everyone, psutil.Process.suspend)
        time.sleep(seconds)
        _each(everyone, psutil.Process.resume)
        return 0

    return strike


def _segments(product: Product, worker: psutil.Process) -> list[str]:
    return [
        file.path
        for file in worker.open_files()
        if Path(file.path).parent == product.spool and file.path.endswith(".spool")
    ]


def _engine(product: Product, name: str) -> Engine:
    return product.postgres if name == "postgres" else product.redis


def _kill_workers(product: Product, workers: Iterable[psutil.Process]) -> int:
    """Freeze these gateway processes, count their clients' connections, which bounds the calls, and kill them."""
    frozen = list(workers)
    for worker in frozen:
        worker.suspend()
    cut = sum(product.connections_of(worker) for worker in frozen)
    _kill(frozen)
    return cut


def _kill(victims: Iterable[psutil.Process | None]) -> None:
    _each(victims, psutil.Process.kill)


def _each(processes: Iterable[psutil.Process | None], harm: Callable[[psutil.Process], None]) -> None:
    for process in processes:
        if process is not None:
            with contextlib.suppress(psutil.NoSuchProcess):
                harm(process)
