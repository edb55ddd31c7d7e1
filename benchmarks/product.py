"""The product as it is served: its own PostgreSQL, a workspace with a key, the recorder, and one gateway process."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psutil
import psycopg
from peers import Target
from support import ROOT, CannotMeasure, await_answer, free_port, started

sys.path.insert(0, str(ROOT))

RECORD_SECONDS = 120
NEVER_USED_UP = "1000000"
"""USD: a cap that each call has to ask."""
OWNER = ["--email", "owner@example.com", "--password", "a long enough password", "--workspace", "Agency"]


@dataclass(frozen=True, slots=True)
class Product:
    """A gateway to call, with a key and with one under a cap, and the ledger that its calls must reach."""

    target: Target
    capped: Target
    recorder: psutil.Process
    database: str

    def events(self) -> int:
        """How many usage events the ledger holds."""
        with psycopg.connect(self.database) as connection:
            row = connection.execute("SELECT count(*) FROM usage_event").fetchone()
        return int(row[0]) if row else 0

    def settle(self, calls: int) -> None:
        """Wait until the ledger holds an event for each call made; raises CannotMeasure when it holds fewer or more."""
        deadline = time.monotonic() + RECORD_SECONDS
        while (found := self.events()) < calls and time.monotonic() < deadline:
            time.sleep(0.25)
        if found != calls:
            raise CannotMeasure(
                f"{calls} calls were made and {found} events recorded: these figures would mean nothing."
            )


@contextlib.contextmanager
def database(folder: Path) -> Iterator[str]:
    """The URL of an empty database: a scratch one on the server of DATABASE_URL, else in an embedded PostgreSQL."""
    server = os.environ.get("DATABASE_URL")
    if server:
        with _scratch(server) as url:
            yield url
        return
    from tokonomics.embedded import Postgres, engines

    engine = Postgres(folder)
    with engines([engine]):
        yield f"postgresql://tokonomics@/tokonomics?host={engine.sockets}"


@contextlib.contextmanager
def _scratch(server: str) -> Iterator[str]:
    name = f"tokonomics_benchmark_{os.getpid()}"
    try:
        connection = psycopg.connect(server, autocommit=True)
    except psycopg.OperationalError as error:
        raise CannotMeasure(f"DATABASE_URL does not answer: {error}") from error
    with connection:
        connection.execute(f"CREATE DATABASE {name}")
        try:
            yield urlunsplit(urlsplit(server)._replace(path=f"/{name}"))
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def manage(environment: Mapping[str, str], *words: str) -> str:
    """What a management command prints; raises CannotMeasure with what it says when it fails."""
    command = [sys.executable, "manage.py", *words]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise CannotMeasure(f"manage.py {words[0]} failed:\n{done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


@contextlib.contextmanager
def gateway(folder: Path, provider: int, processor: int) -> Iterator[Product]:
    """Everything on: migrated, with keys whose credential leads to the provider, pinned to the processor."""
    data = folder / "data"
    port = free_port()
    with database(data) as url, contextlib.ExitStack() as stack:
        environment = {
            "DATA_DIR": str(data),
            "DATABASE_URL": url,
            "TOKONOMICS_ALLOW_PRIVATE_ADDRESSES": "1",
            "LOG_LEVEL": "WARNING",
        }
        manage(environment, "migrate", "--verbosity", "0")
        upstream = ["--provider-key", "sk-benchmark", "--base-url", f"http://127.0.0.1:{provider}"]
        made = json.loads(manage(environment, "quickstart", *OWNER, "--provider", "openai", *upstream))
        capped = json.loads(manage(environment, "quickstart", *OWNER, "--cap", NEVER_USED_UP))
        start = [sys.executable, "manage.py"]
        log = folder / "recorder.log"
        recorder = stack.enter_context(started([*start, "recorder"], log, environment=environment))
        log = folder / "gateway.log"
        command = [*start, "gateway", "--workers", "1", "--port", str(port)]
        process = stack.enter_context(started(command, log, processor, environment))
        await_answer(port, "/healthz", process, log)
        target = Target("gateway", port, "/proxy/openai/v1/chat/completions", made["api_key"], process)
        yield Product(target, replace(target, name="capped", key=capped["api_key"]), recorder, url)
