"""What of the product the fault tests need, kept running as `manage.py serve` keeps it: engines, recorder, gateway."""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import replace

import django
from django.conf import settings

from tokonomics import embedded, parts, processes
from tokonomics.management.commands import serve
from tokonomics.processes import Part

WORKERS = 2
HEALTHY_SECONDS = 1.0
"""Parts are killed every few seconds here; that is no reason to start them again more and more slowly."""


def main() -> None:
    """Serve until a signal."""
    os.chdir(settings.BASE_DIR)
    processes.HEALTHY_SECONDS = HEALTHY_SECONDS
    keeper = processes.Keeper(processes.standard_output())
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, keeper.ask_to_stop)
    chosen = serve.used_engines()
    with embedded.shared(chosen):
        try:
            serve.start_engines(keeper, chosen)
            if serve.prepare(keeper):
                keeper.add(_rigged(parts.recorder()))
                keeper.add(_rigged(parts.gateway(WORKERS)))
                keeper.wait(lambda: False)
        finally:
            serve.stop_parts(keeper)
            serve.stop_standbys(keeper, chosen)


def _rigged(part: Part) -> Part:
    """The part with what tests can do inside of it, where they have asked for that."""
    if "RIGGED" not in os.environ:
        return part
    return replace(part, command=(sys.executable, "-m", "tests.faults.part", *part.command[2:]))


if __name__ == "__main__":
    django.setup()
    main()
