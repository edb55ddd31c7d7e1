"""`python -m tokonomics.embedded postgres DATA_DIR [--wait] [--careless]`: become an engine in the foreground."""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path

from tokonomics.embedded import EngineFailed, Postgres, Redis, serve


def main() -> None:
    """Replace this process by the engine; a reason not to is one sentence on standard error and exit code 1."""
    parser = argparse.ArgumentParser(prog="python -m tokonomics.embedded", description=__doc__)
    parser.add_argument("engine", choices=[Postgres.name, Redis.name])
    parser.add_argument("data_dir", type=Path)
    parser.add_argument("--wait", action="store_true", help="stand by while the engine already runs elsewhere")
    parser.add_argument("--careless", action="store_true", help="faster, but a power cut loses the data")
    chosen = parser.parse_args()
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    kind = Postgres if chosen.engine == Postgres.name else Redis
    try:
        serve(kind(chosen.data_dir, durable=not chosen.careless), wait=chosen.wait)
    except EngineFailed as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
