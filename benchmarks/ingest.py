"""How fast the recorder brings a spool into PostgreSQL, beside the server's own COPY of the same events.

python benchmarks/ingest.py [--events 100000] [--rounds 3]

With DATABASE_URL unset it starts the embedded PostgreSQL in a folder of its own; else it makes a database beside that
of the URL, on this machine, and drops it at the end. The server's COPY reads one file, in one statement, into the same
table with its keys, checks and trigger. The goals are set by a file of text; one in binary format is shown beside it.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import shutil
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from support import ROOT, CannotMeasure, judge, median, print_table, run

sys.path.insert(0, str(ROOT))

from metering import recorder
from metering.partitions import make_partitions
from metering.recording.batch import Batch
from metering.recording.rows import COLUMNS
from metering.recording.writing import Ledger
from metering.records import encode
from metering.spooling import segment_path
from tokonomics import embedded
from tokonomics.environment import socket_directory

ROLLUP_GOAL = 0.20
EVENTS_GOAL = 0.65
MONTH = date(2026, 6, 1)
MODELS = ("gpt-4.1-mini", "gpt-4.1", "claude-sonnet-4-5", "gemini-2.5-flash", "gpt-4o-mini", "mistral-large-latest")
DATABASE = "tokonomics_ingest"
TABLES = "usage_event, daily_usage, daily_tag_usage, spool_file"


class Agencies:
    """200 workspaces of 12 clients; the n-th of each kind is called 1/n as often as the first (Zipf).

    Every client has a key of its own, two models that it uses, three projects, and tags: client, project, env, feature.
    """

    def __init__(self) -> None:
        self.random = random.Random(7)
        self.workspaces = [self._uuid() for _ in range(200)]
        self.keys = {(workspace, client): self._uuid() for workspace in self.workspaces for client in range(12)}

    def _uuid(self) -> str:
        return str(UUID(int=self.random.getrandbits(128)))

    def calls(self, count: int) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
        """Intent and result of each call, a hundred a second."""
        ranks = {length: [1 / (rank + 1) for rank in range(length)] for length in (12, 200)}
        workspaces = self.random.choices(self.workspaces, ranks[200], k=count)
        clients = self.random.choices(range(12), ranks[12], k=count)
        noon = int(datetime(2026, 6, 15, 12, tzinfo=UTC).timestamp()) * 1_000_000
        for number, (workspace, client) in enumerate(zip(workspaces, clients, strict=True)):
            yield self._call(workspace, client, noon + number * 10_000)

    def _call(self, workspace: str, client: int, at: int) -> tuple[dict[str, Any], dict[str, Any]]:
        choose = self.random.randrange
        tokens_in, tokens_out = choose(100, 8000), choose(20, 1500)
        slug = f"client-{client}"
        model = MODELS[(client + (choose(10) < 2)) % len(MODELS)]
        facts = {
            "id": self._uuid(),
            "at": at,
            "day": "2026-06-15",
            "stream": bool(choose(2)),
            "workspace": workspace,
            "client": slug,
            "key": self.keys[workspace, client],
            "key_name": "production",
            "credential": workspace,
            "provider": "openai",
            "endpoint": "chat.completions",
            "tags": {
                "client": slug,
                "project": f"project-{client}-{choose(3)}",
                "env": "production",
                "feature": ("chat", "search", "summary")[choose(3)],
            },
            "test": False,
            "model": model,
        }
        intent = {"kind": "intent"} | facts | {"estimate": {"input_tokens": tokens_in, "cost": tokens_in * 400}}
        result = (
            {"kind": "result"}
            | facts
            | {
                "requested_model": model,
                "status": "ok",
                "http_status": 200,
                "estimated": False,
                "usage": {"input_tokens": tokens_in, "output_tokens": tokens_out},
                "cost": tokens_in * 400 + tokens_out * 1600,
                "cost_source": "catalogue",
                "price_version": "genai-prices 0.2.3",
                "lines": [
                    ["input_tokens", tokens_in, "0.0000004", f"0.{tokens_in * 4:07}"],
                    ["output_tokens", tokens_out, "0.0000016", f"0.{tokens_out * 16:07}"],
                ],
                "provider_cost": None,
                "latency_ms": choose(300, 9000),
                "first_byte_ms": choose(100, 300),
                "flags": [],
                "source": "proxy",
            }
        )
        return intent, result


class EventsAlone(Ledger):
    """The recorder's transaction without the rollups."""

    def _add_up(self, cursor: psycopg.Cursor[Any], batch: Batch) -> None:
        """Leave the rollups as they are."""


class Bench:
    """One database, the same calls as a spool file and as rows for COPY, and the three ways to bring them in."""

    def __init__(self, parameters: dict[str, Any], folder: Path, count: int) -> None:
        self.parameters = parameters
        self.folder = folder
        self.count = count
        self.spool = folder / "calls.spool"
        self.rows = {form: folder / f"calls.{form}" for form in ("text", "binary")}
        self.cpu: list[float] = []
        self.connection = psycopg.connect(**parameters, autocommit=True)
        with self.connection.cursor() as cursor:
            make_partitions(cursor, [MONTH])
        with self.spool.open("wb") as spool:
            for intent, result in Agencies().calls(count):
                spool.write(encode(intent) + encode(result))
        self.record(EventsAlone)
        for form, path in self.rows.items():
            query = f"COPY (SELECT {COLUMNS} FROM usage_event ORDER BY admitted_at) TO STDOUT (FORMAT {form})"
            with path.open("wb") as file, self.connection.cursor().copy(query) as rows:
                file.writelines(rows)
            path.chmod(0o644)

    def measure(self, way: Callable[[], None], table: str = "usage_event") -> float:
        """Events a second of one way, into empty tables; raises CannotMeasure when not all arrive."""
        self.connection.execute(f"TRUNCATE {TABLES}")
        self.connection.execute("CHECKPOINT")
        started = time.perf_counter()
        way()
        seconds = time.perf_counter() - started
        counted = "sum(calls)" if table == "daily_usage" else "count(*)"
        (found,) = self.connection.execute(f"SELECT {counted} FROM {table}").fetchone() or (0,)
        if found != self.count:
            raise CannotMeasure(f"{found} of {self.count} calls arrived in {table}.")
        return self.count / seconds

    def server(self, form: str) -> None:
        """The server reads a file of finished rows."""
        try:
            self.connection.execute(f"COPY usage_event ({COLUMNS}) FROM '{self.rows[form]}' (FORMAT {form})")
        except (psycopg.errors.UndefinedFile, psycopg.errors.InsufficientPrivilege) as error:
            raise CannotMeasure(
                f"The server must be on this machine and let a superuser read files: {error}"
            ) from error

    def record(self, ledger: type[Ledger]) -> None:
        """The recorder reads the spool of a process that has ended."""
        directory = self.folder / "spool"
        directory.mkdir(exist_ok=True)
        os.link(self.spool, segment_path(directory, str(uuid4()), 0))
        vars(recorder)["Ledger"] = ledger
        used = time.process_time()
        recorder.Recorder(directory, self.parameters).finish(300)
        self.cpu.append((time.process_time() - used) / self.count * 1e6)


@contextlib.contextmanager
def database(folder: Path) -> Iterator[dict[str, Any]]:
    """How to reach an empty database with the product's tables."""
    url = os.environ.get("DATABASE_URL")
    if url:
        with scratch(conninfo_to_dict(url)) as parameters:
            yield parameters
        return
    engine = embedded.Postgres(folder / "data")
    place = {"host": str(engine.sockets), "user": "tokonomics", "dbname": "tokonomics"}
    with embedded.engines([engine]), scratch(place) as parameters:
        yield parameters
    shutil.rmtree(socket_directory(engine.data_dir), ignore_errors=True)


@contextlib.contextmanager
def scratch(parameters: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A database of our own beside another one, with the product's tables; dropped at the end."""
    name = sql.Identifier(DATABASE)
    with psycopg.connect(**parameters, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(name))
        connection.execute(sql.SQL("CREATE DATABASE {}").format(name))
        try:
            own = {**parameters, "dbname": DATABASE}
            migrate(own)
            yield own
        finally:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))


def migrate(parameters: dict[str, Any]) -> None:
    """Make the product's tables."""
    import django
    from django.conf import settings
    from django.core.management import call_command
    from django.db import connection

    os.environ["DJANGO_SETTINGS_MODULE"] = "tokonomics.settings"
    names = {"host": "HOST", "port": "PORT", "user": "USER", "password": "PASSWORD", "dbname": "NAME"}
    django.setup()
    settings.DATABASES["default"] |= {names[name]: value for name, value in parameters.items() if name in names}
    call_command("migrate", verbosity=0, skip_checks=True)
    connection.close()


def main() -> None:
    """Measure the three ways in turn, a few rounds, and print medians and ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ingest-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # the server reads from it
        os.environ.setdefault("DATA_DIR", str(folder / "settings"))
        with database(folder) as parameters:
            bench = Bench(parameters, folder, chosen.events)
            recorder.tune_process()
            show(bench, chosen.rounds)
            bench.connection.close()


def show(bench: Bench, rounds: int) -> None:
    """Run the rounds and print what they gave."""
    rates: defaultdict[str, list[float]] = defaultdict(list)
    for _ in range(rounds):
        for name, way, table in (
            ("server-side COPY", lambda: bench.server("text"), "usage_event"),
            ("the same, of a binary file", lambda: bench.server("binary"), "usage_event"),
            ("recorder, events alone", lambda: bench.record(EventsAlone), "usage_event"),
            ("recorder, with rollups", lambda: bench.record(Ledger), "daily_usage"),
        ):
            rates[name].append(bench.measure(way, table))
    server = median(rates["server-side COPY"])
    ratios = {name: median(values) / server for name, values in rates.items()}
    told = [(name, f"{median(values):,.0f}", f"{ratios[name]:.0%}") for name, values in rates.items()]
    print_table(f"{bench.count:,} calls, medians of {rounds} rounds", ("", "events/s", "of COPY"), told)
    print(f"The recorder's own processor time: {median(bench.cpu):.0f} µs an event\n")
    judge("With rollups, of COPY:", ratios["recorder, with rollups"], ROLLUP_GOAL, least=True)
    judge("Events alone, of COPY:", ratios["recorder, events alone"], EVENTS_GOAL, least=True)


if __name__ == "__main__":
    run(main)
