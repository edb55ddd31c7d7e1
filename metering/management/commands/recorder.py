"""`manage.py recorder`: brings the spool of this machine into the ledger."""

from __future__ import annotations

import signal
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import connection

from metering.recorder import Recorder, tune_process


class Command(BaseCommand):
    """Record until SIGTERM or SIGINT, then what is left."""

    help = "Records the calls that the gateways of this machine have spooled. One works, further ones stand by."

    def handle(self, *args: Any, **options: Any) -> None:
        found = connection.get_connection_params()
        parameters = {name: value for name, value in found.items() if name not in ("cursor_factory", "context")}
        recorder = Recorder(settings.SPOOL_DIR, parameters)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: recorder.stopping.set())
        tune_process()
        recorder.run()
