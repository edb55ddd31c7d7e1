"""`manage.py price_drift`: where two price lists differ, to look at before one of them is trusted."""

from __future__ import annotations

from argparse import ArgumentParser
from collections import Counter
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from billing.drift import Missing, drift
from billing.listing import PriceSource
from billing.management.moments import moment
from billing.price_lists import built_in, list_named


class Command(BaseCommand):
    """Prints each difference on a line, then how many there are."""

    help = "Compares the prices in force with those of the second source, or two versions with each other."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Which lists, at which moment, of which provider."""
        parser.add_argument(
            "versions",
            nargs="*",
            metavar="VERSION",
            help="two as events name them, such as 'genai-prices 0.2.3'; one is compared with what is in force; "
            "none: what is in force with the newest of the second source",
        )
        parser.add_argument("--at", type=moment, metavar="MOMENT", help="such as 2026-12-01 (UTC); by default now")
        parser.add_argument("--provider", default="", help="as the catalogue calls it, such as openai or x-ai")
        parser.add_argument("--missing", action="store_true", help="list the models that only one of them has, too")

    def handle(self, *args: Any, **options: Any) -> None:
        """The report; raises CommandError for a version that is not there."""
        at = options["at"] or timezone.now()
        one, other = self._lists(options["versions"], at)
        self.stdout.write(f"{one.version} → {other.version}, prices of {at:%Y-%m-%d %H:%M} UTC, USD")
        found: Counter[str] = Counter()
        for difference in drift(one, other, at, options["provider"]):
            kind = "missing" if isinstance(difference, Missing) else "different"
            found[kind] += 1
            if kind == "different" or options["missing"]:
                self.stdout.write(str(difference))
        self.stdout.write(f"{found['different']} prices differ; {found['missing']} models are in one list only.")

    def _lists(self, names: list[str], at: Any) -> tuple[PriceSource, PriceSource]:
        if len(names) > 2:
            raise CommandError("Name two versions at most.")
        if len(names) == 2:
            return _named(names[0], at), _named(names[1], at)
        return _named("", at), _named(names[0] if names else "litellm", at)


def _named(name: str, at: Any) -> PriceSource:
    if name == built_in().version:
        return built_in()
    found = list_named(name, at)
    if found is None:
        raise CommandError(f"There is no version {name}: import it with manage.py import_prices.")
    return found
