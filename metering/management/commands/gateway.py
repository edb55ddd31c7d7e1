"""`manage.py gateway`: the front door, N processes on one port."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connection

from metering.gateway.gateway import Times
from metering.gateway.master import Master
from metering.gateway.request import Limits
from metering.gateway.worker import Configuration
from tokonomics.secrets import keyring

if TYPE_CHECKING:
    from argparse import ArgumentParser


class Command(BaseCommand):
    """Serve /proxy/ and relay everything else to the site."""

    help = "Serves calls and, through the site's socket, the pages. Options: --host, --port, --workers."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default=settings.HOST)
        parser.add_argument("--port", type=int, default=settings.PORT)
        parser.add_argument("--workers", type=int, default=settings.GATEWAY_WORKERS)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            master = Master(options["host"], options["port"], options["workers"], configuration(options["workers"]))
        except OSError as error:
            where = f"{options['host']}:{options['port']}"
            raise CommandError(f"Cannot listen on {where}: {error.strerror}. Set PORT to a free one.") from error
        self.stdout.write(f"Serving on http://{options['host']}:{options['port']} with {options['workers']} processes")
        master.run()


def configuration(processes: int) -> Configuration:
    """What the settings say about the gateway; its processes share the rate limits when Redis is away."""
    parameters = connection.get_connection_params()
    database = {name: value for name, value in parameters.items() if name not in ("cursor_factory", "context")}
    return Configuration(
        database=database,
        keyring=keyring(),
        redis_url=settings.REDIS_URL,
        processes=processes,
        spool_directory=settings.SPOOL_DIR,
        spool_max_bytes=settings.SPOOL_MAX_BYTES,
        spool_sync=settings.SPOOL_SYNC,
        site_socket=str(settings.SITE_SOCKET),
        limits=Limits(
            head_bytes=settings.GATEWAY_HEADER_LIMIT,
            body_bytes=settings.GATEWAY_BODY_LIMIT,
            head_seconds=settings.GATEWAY_HEADER_TIMEOUT,
            body_seconds=settings.GATEWAY_BODY_TIMEOUT,
        ),
        times=Times(
            first_byte_seconds=settings.GATEWAY_FIRST_BYTE_TIMEOUT,
            idle_seconds=settings.GATEWAY_IDLE_TIMEOUT,
            client_gone_seconds=settings.GATEWAY_CLIENT_GONE_DRAIN,
        ),
        connect_seconds=settings.GATEWAY_CONNECT_TIMEOUT,
        shutdown_seconds=settings.GATEWAY_SHUTDOWN_DRAIN,
        allow_private=settings.ALLOW_PRIVATE_ADDRESSES,
        trust_forwarded=settings.TRUST_FORWARDED,
    )
