"""A gateway in this process, on an event loop of its own thread: real sockets, real spool, keys put in by hand."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from queue import Queue
from typing import Any
from uuid import uuid4

import pytest
import uvloop

from billing.catalogue import Catalogue
from metering.gateway.accounts import CredentialRow, Key, Workspace, credential_of
from metering.gateway.caps import NO_CAPS
from metering.gateway.directory import Directory
from metering.gateway.gateway import Gateway, Times
from metering.gateway.limits import Limiter
from metering.gateway.origin import Origin
from metering.gateway.request import Limits
from metering.gateway.reservations import Reservations
from metering.gateway.server import Downstream
from metering.gateway.spool import Spool
from metering.gateway.upstream import Pool
from metering.records import decode
from tests.upstreams.provider import Provider, completion
from tokonomics.crypto import Keyring, digest

KEY = "mk_test-key-of-acme"
KEYRING = Keyring([b"k" * 32])
WORKSPACE = uuid4()
UNREACHABLE = {"host": "127.0.0.1", "port": 1}
CATALOGUE = Catalogue()


@dataclass
class Running:
    """The gateway under test, and the ways to speak to it."""

    gateway: Gateway
    loop: asyncio.AbstractEventLoop
    stop: asyncio.Event
    port: int
    spool: Path
    key: str = KEY
    clients: list[http.client.HTTPConnection] = field(default_factory=list)

    def call(
        self,
        path: str,
        body: bytes | str | None = None,
        *,
        method: str = "POST",
        key: str | None = KEY,
        **headers: str,
    ) -> http.client.HTTPResponse:
        """One request; the answer's body is unread. `x_metering_tags=…` makes a header X-Metering-Tags."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        self.clients.append(connection)
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if key is not None:
            sent.setdefault("authorization", f"Bearer {key}")
        connection.request(method, path, body, sent)
        return connection.getresponse()

    def raw(self, data: bytes) -> bytes:
        """Send bytes, read until the gateway closes or says nothing more for a second."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
            connection.sendall(data)
            answer = b""
            try:
                while piece := connection.recv(65536):
                    answer += piece
            except TimeoutError:
                pass
            return answer

    def records(self, kind: str) -> list[dict[str, Any]]:
        """What the spool holds of one kind."""
        lines = [line for path in sorted(self.spool.glob("*.spool")) for line in path.read_bytes().splitlines(True)]
        return [record for record in map(decode, lines) if record["kind"] == kind]

    def wait(self, condition: Callable[[], Any], seconds: float = 10) -> Any:
        """The first true value of `condition`, looked at again and again."""
        return eventually(condition, seconds)

    def run(self, step: Callable[[], Any]) -> None:
        """Do something on the gateway's own thread."""
        self.loop.call_soon_threadsafe(step)


def eventually(condition: Callable[[], Any], seconds: float = 10) -> Any:
    """The first true value of `condition`; fails the test when there is none in time."""
    wait = threading.Event()
    for _ in range(int(seconds / 0.02)):
        if value := condition():
            return value
        wait.wait(0.02)
    pytest.fail(f"{condition} did not come true within {seconds} s")


@pytest.fixture
def provider() -> Iterator[Provider]:
    """A provider that says pong."""
    server = Provider(lambda received: completion())
    yield server
    server.close()


Start = Callable[..., Running]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a gateway with credentials {slug: base URL}; limits and times may be changed by keyword."""
    with starting(tmp_path) as begin:
        yield begin


@pytest.fixture(scope="module")
def module_start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """Starts gateways that live for a whole module."""
    with starting(tmp_path_factory.mktemp("gateway")) as begin:
        yield begin


@contextlib.contextmanager
def starting(folder: Path) -> Iterator[Start]:
    """A function that starts gateways; they end with the context."""
    started: list[tuple[Running, threading.Thread]] = []

    def begin(credentials: dict[str, str], *, client: str | None = None, sync: bool = False, **changes: Any) -> Running:
        ready: Queue[Running] = Queue()
        key = _key(credentials, client)
        key.workspace.caps = changes.get("caps", NO_CAPS)
        key.workspace.id = changes.get("workspace", key.workspace.id)
        life = _serve(ready, folder / "spool", key, sync, changes)
        thread = threading.Thread(target=uvloop.run, args=[life], daemon=True)
        thread.start()
        running = ready.get(timeout=10)
        started.append((running, thread))
        return running

    yield begin
    for running, thread in started:
        for connection in running.clients:
            connection.close()
        running.run(running.stop.set)
        thread.join(10)


@pytest.fixture
def gateway(start: Start, provider: Provider) -> Running:
    """A gateway whose openai, anthropic and google accounts all stand at the provider of this test."""
    return start({"openai": provider.url, "anthropic": provider.url, "google": provider.url})


async def _serve(ready: Queue[Running], spool_directory: Path, key: Key, sync: bool, changes: dict[str, Any]) -> None:
    loop = asyncio.get_running_loop()
    spool = Spool(spool_directory, 64 * 1024 * 1024, sync)
    spool.open()
    directory = Directory(UNREACHABLE, KEYRING)
    directory.ready = True
    directory.unknown.add(digest("mk_unknown"))
    directory.keys[digest(KEY)] = key
    gateway = Gateway(
        limits=replace(Limits(), **{k: v for k, v in changes.items() if hasattr(Limits(), k)}),
        times=replace(Times(), **{k: v for k, v in changes.items() if hasattr(Times(), k)}),
        directory=directory,
        catalogue=CATALOGUE,
        spool=spool,
        pool=Pool(connect_seconds=2, idle_seconds=30, allow_private=changes.get("allow_private", True)),
        reservations=Reservations(changes.get("database", UNREACHABLE), spool.process),
        limiter=Limiter("redis://127.0.0.1:1/0", 1),
        site=Origin("site", socket=str(changes.get("site", "/nonexistent"))),
    )
    server = await loop.create_server(lambda: Downstream(gateway), "127.0.0.1", 0)
    ticking = loop.create_task(gateway.tick())
    keeping_up = loop.create_task(gateway.reservations.keep_up()) if "database" in changes else None
    running = Running(gateway, loop, asyncio.Event(), server.sockets[0].getsockname()[1], spool_directory)
    ready.put(running)
    await running.stop.wait()
    server.close()
    await gateway.drain(1)
    ticking.cancel()
    if keeping_up is not None:
        keeping_up.cancel()
    gateway.reservations.close()
    spool.close()


def _key(credentials: dict[str, str], client: str | None) -> Key:
    accounts = {}
    for slug, url in credentials.items():
        row = uuid4()
        secret = KEYRING.encrypt("sk-stored-secret", workspace=WORKSPACE, row=row)
        accounts[slug] = credential_of(CredentialRow(WORKSPACE, row, slug, slug, url, secret), KEYRING)
    return Key(str(uuid4()), "Test (mk_…acme)", Workspace(str(WORKSPACE), "UTC"), client, False, accounts)
