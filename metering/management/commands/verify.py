"""`manage.py verify`: whether events, rollups and budgets agree."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Iterator
from datetime import date
from itertools import chain
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError

from billing.money import usd_text
from metering.repair import repair
from metering.snapshot import snapshot
from metering.verify import Difference, Scope, Summary, differences, summary
from metering.verify_budgets import BudgetDifference, budget_differences, budget_periods


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

    help = "Compares the ledger's events with its rollups and budgets, while calls go on."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--since", type=_day, metavar="YYYY-MM-DD", help="leave out earlier days")
        parser.add_argument("--workspace", type=_workspace, metavar="ID", help="look at this one alone")
        parser.add_argument("--repair", action="store_true", help="make what differs anew from the events")

    def handle(self, *args: Any, **options: Any) -> None:
        scope = Scope(options["since"], options["workspace"])
        try:
            differing = self._compare(scope)
            if differing and options["repair"]:
                for workspace in sorted(set(differing)):
                    repair(workspace, scope)
                self.stdout.write(f"{len(differing)} rows differed and are made anew from the events.")
                differing = self._compare(scope)
        except OperationalError as error:
            raise CommandError(f"PostgreSQL cannot be asked: {error}") from error
        if differing:
            raise CommandError(f"{len(differing)} rows of the rollups and budgets differ from their events.")

    def _compare(self, scope: Scope) -> list[UUID]:
        """Print each difference, or that there is none; the workspace of each."""
        found: list[UUID] = []
        with snapshot():
            unequal: Iterator[Difference | BudgetDifference] = chain(differences(scope), budget_differences(scope))
            for difference in unequal:
                self.stdout.write(str(difference))
                found.append(difference.workspace_id)
            if not found:
                self._agree(summary(scope), budget_periods(scope))
        return found

    def _agree(self, total: Summary, periods: int) -> None:
        told = f"{total.calls} calls, {usd_text(total.cost)} USD, {total.rows} rows of daily usage"
        self.stdout.write(f"Events and rollups agree: {told}.")
        if periods:
            self.stdout.write(f"Events and budgets agree: {periods} periods.")
