"""`manage.py serve`: the whole product under one Ctrl-C."""

from __future__ import annotations

import errno
import os
import signal
import socket
import time
from argparse import ArgumentParser
from contextlib import closing
from typing import Any

import psutil
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError, connection

from tokonomics import embedded, parts
from tokonomics.embedded import Engine, EngineFailed, locks, serving
from tokonomics.embedded.folders import make_folders
from tokonomics.processes import Keeper, standard_output

MIGRATION_LOCK = 7214409
"""PostgreSQL advisory lock: machines that start at once migrate one after the other."""
DATABASE_SECONDS = 30
SITE_SECONDS = 60


class Command(BaseCommand):
    """Engines, migrations, assets; then the site, recorder, worker, scheduler and gateway, each kept running."""

    help = "Serve the whole product until Ctrl-C. PORT, DATA_DIR, DATABASE_URL, REDIS_URL and EMAIL_URL override."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--workers", type=int, default=settings.GATEWAY_WORKERS, help="gateway processes")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            make_folders(settings.DATA_DIR)
            with locks.sole(serving.lock(settings.DATA_DIR)) as ours:
                if not ours:
                    raise CommandError(f"Tokonomics already runs with DATA_DIR {settings.DATA_DIR}: stop it first.")
                check_port(settings.HOST, settings.PORT)
                serving.tell(settings.DATA_DIR, settings.PORT)
                serve(options["workers"])
        except EngineFailed as error:
            raise CommandError(str(error)) from error


def check_port(host: str, port: int) -> None:
    """Raise CommandError, in words, when nothing could listen there."""
    try:
        with closing(socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)):
            return
    except OSError as error:
        reason = (
            f"is in use{_user_of(port)}" if error.errno == errno.EADDRINUSE else f"cannot be used ({error.strerror})"
        )
        raise CommandError(
            f"Port {port} on {host} {reason}. Stop what uses it, or choose another: make run PORT={port + 1}"
        ) from error


def _user_of(port: int) -> str:
    """' by python3 (process 1234)', or '' where the system does not tell."""
    try:
        for found in psutil.net_connections("tcp"):
            if found.status == psutil.CONN_LISTEN and found.laddr and found.laddr.port == port and found.pid:
                return f" by {psutil.Process(found.pid).name()} (process {found.pid})"
    except psutil.Error:
        pass
    return ""


def used_engines() -> list[Engine]:
    """The embedded engines that the settings ask for."""
    chosen: list[Engine] = []
    if settings.EMBEDDED_DATABASE:
        chosen.append(embedded.Postgres(settings.DATA_DIR))
    if settings.EMBEDDED_REDIS:
        chosen.append(embedded.Redis(settings.DATA_DIR))
    return chosen


def serve(workers: int) -> None:
    """Start everything in order, keep it running until a signal, stop everything in the opposite order."""
    os.chdir(settings.BASE_DIR)
    keeper = Keeper(standard_output())
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, keeper.ask_to_stop)
    chosen = used_engines()
    with embedded.shared(chosen):
        try:
            start_engines(keeper, chosen)
            if prepare(keeper):
                start_parts(keeper, workers)
                keeper.wait(lambda: False)
        finally:
            stop_parts(keeper)
            stop_standbys(keeper, chosen)


def start_engines(keeper: Keeper, chosen: list[Engine]) -> None:
    """Have the engines serve; raises EngineFailed when one has failed three times in a row."""
    kept = [keeper.add(parts.engine(one)) for one in chosen]

    def decided() -> bool:
        return all(one.ready() for one in chosen) or any(one.failures >= 3 for one in kept)

    if not (keeper.wait(decided, embedded.START_SECONDS) and all(one.ready() for one in chosen)) and not keeper.stops:
        raise EngineFailed("An embedded engine does not start; the lines above say why.")


def prepare(keeper: Keeper) -> bool:
    """Migrate and gather the assets; False when a stop was asked for meanwhile."""
    started = time.monotonic()
    if not keeper.wait(database_answers, DATABASE_SECONDS):
        if keeper.stops:
            return False
        raise CommandError(f"PostgreSQL does not answer: {database_error()} Check DATABASE_URL.")
    keeper.output.say("setup", "bringing the database and the assets up to date")
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [MIGRATION_LOCK])
        call_command("migrate", interactive=False, verbosity=0)
        cursor.execute("SELECT pg_advisory_unlock(%s)", [MIGRATION_LOCK])
    connection.close()
    call_command("collectstatic", interactive=False, verbosity=0)
    if settings.DEMO:
        keeper.output.say("setup", "filling the demo's workspace; the first time this takes half a minute")
        call_command("demo")
    keeper.output.say("setup", f"done in {time.monotonic() - started:.1f} s")
    return not keeper.stops


def database_answers() -> bool:
    """Whether the database of the settings takes connections."""
    return not database_error()


def database_error() -> str:
    """What PostgreSQL, or the way to it, says against a connection; '' for nothing."""
    try:
        connection.ensure_connection()
    except OperationalError as error:
        return " ".join(str(error).split()).rstrip(".") + "."
    return ""


def start_parts(keeper: Keeper, workers: int) -> None:
    """Start the parts, the gateway last: once its port is open everything behind it is there."""
    for part in (parts.site(), parts.recorder(), parts.worker(), parts.beat()):
        keeper.add(part)
    keeper.wait(parts.site_answers, SITE_SECONDS)
    keeper.add(parts.gateway(workers))
    if keeper.wait(parts.gateway_is_healthy, SITE_SECONDS):
        keeper.output.say("ready", f"Tokonomics is on {settings.PUBLIC_URL} (Ctrl-C stops it)")


def stop_parts(keeper: Keeper) -> None:
    """The gateway first, so that running calls end whole; the recorder last, to ship what they wrote."""
    if any(kept.part.name == "gateway" and kept.running() for kept in keeper.kept):
        keeper.output.say("stopping", "running calls may end; Ctrl-C again stops at once")
    for names in (["gateway"], ["site", "worker", "beat"], ["recorder"]):
        keeper.stop(names)


def stop_standbys(keeper: Keeper, chosen: list[Engine]) -> None:
    """End the processes that only wait to become an engine; an engine itself is stopped by its last user."""
    holders = {locks.holder(embedded.lock_of(engine)) for engine in chosen}
    for kept in keeper.kept:
        if kept.process is not None and kept.process.pid not in holders:
            kept.kill()
