#!/usr/bin/env python
"""The command line of the whole product: `python manage.py help` lists what it can do."""

from __future__ import annotations

import os
import sys
from contextlib import AbstractContextManager, nullcontext

from tokonomics import embedded
from tokonomics.environment import InvalidSetting

WITHOUT_ENGINES = ("serve", "gateway", "recorder", "check", "collectstatic", "help", "version", "--help", "--version")
"""What starts the embedded engines itself, runs beside them, or needs none."""


def main() -> None:
    """Run a management command; a setting that cannot be used ends it with a sentence, not a traceback."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tokonomics.settings")
    from django.core.management import execute_from_command_line

    try:
        with engines(sys.argv[1:]):
            execute_from_command_line(sys.argv)
    except (InvalidSetting, embedded.EngineFailed) as error:
        sys.exit(str(error))


def engines(words: list[str]) -> AbstractContextManager[None]:
    """The embedded engines for the time of a command, whether or not the product runs beside it."""
    if not words or words[0] in WITHOUT_ENGINES or "--help" in words:
        return nullcontext()
    from django.conf import settings

    database = [embedded.Postgres(settings.DATA_DIR)] if settings.EMBEDDED_DATABASE else []
    redis = [embedded.Redis(settings.DATA_DIR)] if settings.EMBEDDED_REDIS else []
    return embedded.engines([*database, *redis])


if __name__ == "__main__":
    main()
