"""`manage.py verify`: whether events and rollups agree."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError
from datetime import date
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError

from billing.money import usd_text
from metering.snapshot import snapshot
from metering.verify import Scope, Summary, differences, summary


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise ArgumentTypeError(f"{text!r} is not a day: write it as 2026-11-25.") from error


def _workspace(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise ArgumentTypeError(f"{text!r} is not the id of a workspace.") from error


class Command(BaseCommand):
    """Print every difference and end with exit status 1, or one line that all is well."""

    help = "Compares the ledger's events with its rollups, while calls go on."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--since", type=_day, metavar="YYYY-MM-DD", help="leave out earlier days")
        parser.add_argument("--workspace", type=_workspace, metavar="ID", help="look at this one alone")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            found, total = self._compare(Scope(options["since"], options["workspace"]))
        except OperationalError as error:
            raise CommandError(f"PostgreSQL cannot be asked: {error}") from error
        if found:
            raise CommandError(f"{found} rows of the rollups differ from their events.")
        told = f"{total.calls} calls, {usd_text(total.cost)} USD, {total.rows} rows of daily usage"
        self.stdout.write(f"Events and rollups agree: {told}.")

    def _compare(self, scope: Scope) -> tuple[int, Summary]:
        found = 0
        with snapshot():
            for difference in differences(scope):
                self.stdout.write(str(difference))
                found += 1
            return found, summary(scope)
