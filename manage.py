#!/usr/bin/env python
"""The command line of the whole product: `python manage.py help` lists what it can do."""

from __future__ import annotations

import os
import sys

from tokonomics.environment import InvalidSetting


def main() -> None:
    """Run a management command; a setting that cannot be used ends it with a sentence, not a traceback."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tokonomics.settings")
    from django.core.management import execute_from_command_line

    try:
        execute_from_command_line(sys.argv)
    except InvalidSetting as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
