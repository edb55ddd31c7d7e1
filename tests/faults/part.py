"""A part of the product as it is, but for what a test has put into it: places where it dies, and a clock that is moved.

`python -m tests.faults.part gateway --workers 2` in place of `manage.py gateway --workers 2`. RIGGED names the folder
through which the tests speak with all such processes.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import django
from django.core.management import execute_from_command_line

from tests.faults import clock


def main() -> None:
    """Rig this process, then do what manage.py does."""
    folder = Path(os.environ["RIGGED"])
    clock.follow(folder)
    django.setup()
    from tests.faults import failpoints

    failpoints.put(folder, int(os.environ["PORT"]))
    execute_from_command_line(["manage.py", *sys.argv[1:]])


if __name__ == "__main__":
    main()
