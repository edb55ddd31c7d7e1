"""One gateway process: builds its parts, serves on a socket it was given, and drains when told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import uvloop

from metering.gateway.directory import Directory
from metering.gateway.gateway import Gateway, Times
from metering.gateway.limits import Limiter
from metering.gateway.origin import Origin
from metering.gateway.prices import Prices
from metering.gateway.request import Limits
from metering.gateway.reservations import Reservations
from metering.gateway.server import Downstream
from metering.gateway.spool import Spool
from metering.gateway.upstream import Pool

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from pathlib import Path

    from tokonomics.crypto import Keyring

BACKLOG = 8192
IDLE_UPSTREAM_SECONDS = 30
MASTER_LOOK_SECONDS = 1


@dataclass(frozen=True, slots=True)
class Configuration:
    """All that a gateway process needs to know; sizes in bytes, times in seconds."""

    database: dict[str, Any]
    keyring: Keyring
    redis_url: str
    processes: int
    spool_directory: Path
    spool_max_bytes: int
    spool_sync: bool
    site_socket: str
    limits: Limits
    times: Times
    connect_seconds: float
    shutdown_seconds: float
    allow_private: bool
    trust_forwarded: bool


def run(listener: socket.socket, configuration: Configuration, leaving: Callable[[], object]) -> None:
    """Serve until SIGTERM, SIGINT or the master's death; tell by `leaving`, end the running calls, return."""
    uvloop.run(serve(listener, configuration, leaving))


async def serve(listener: socket.socket, configuration: Configuration, leaving: Callable[[], object]) -> None:
    """The life of one process on its event loop."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    spool = Spool(configuration.spool_directory, configuration.spool_max_bytes, configuration.spool_sync)
    spool.open()
    gateway = _gateway(configuration, spool)
    keeping_up = (gateway.directory.keep_up(), gateway.reservations.keep_up(), gateway.limiter.run())
    lives = (*keeping_up, gateway.tick(), _watch_master(stop))
    tasks = [asyncio.create_task(life) for life in lives]
    server = await loop.create_server(lambda: Downstream(gateway), sock=listener, backlog=BACKLOG)
    await stop.wait()
    server.close()
    leaving()
    await gateway.drain(configuration.shutdown_seconds)
    for task in tasks:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    spool.close()


async def _watch_master(stop: asyncio.Event) -> None:
    """Without a master nobody would replace this process or stop it: end in good order."""
    master = os.getppid()
    while os.getppid() == master:  # noqa: ASYNC110 -- nothing tells that a parent has died
        await asyncio.sleep(MASTER_LOOK_SECONDS)
    stop.set()


def _gateway(configuration: Configuration, spool: Spool) -> Gateway:
    pool = Pool(
        connect_seconds=configuration.connect_seconds,
        idle_seconds=IDLE_UPSTREAM_SECONDS,
        allow_private=configuration.allow_private,
    )
    prices = Prices()
    return Gateway(
        limits=configuration.limits,
        times=configuration.times,
        directory=Directory(configuration.database, configuration.keyring, prices),
        catalogue=prices.book,
        spool=spool,
        pool=pool,
        reservations=Reservations(configuration.database, spool.process),
        limiter=Limiter(configuration.redis_url, configuration.processes),
        site=Origin("site", socket=configuration.site_socket),
        trust_forwarded=configuration.trust_forwarded,
    )
