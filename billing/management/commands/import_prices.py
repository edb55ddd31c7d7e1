"""`manage.py import_prices`: a price list as a version of the price book. Nothing is imported but by this command."""

from __future__ import annotations

import hashlib
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from billing import price_files
from billing.catalogue import VERSION
from billing.management.moments import moment
from billing.models import PriceList
from billing.price_downloads import download
from billing.price_files import BadPriceFile
from billing.price_lists import AlreadyImported, import_list, source_of


class Command(BaseCommand):
    """Stores genai-prices' list, from the installed package or a file, or LiteLLM's as the second source."""

    help = "Imports a price list as a version that counts for calls from a moment on; what was priced stays priced."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Where from, what it is, and from when on it counts."""
        place = parser.add_mutually_exclusive_group()
        place.add_argument("--file", type=Path, metavar="PATH", help="the list's JSON; else the installed genai-prices")
        place.add_argument("--url", metavar="URL", help="where to download it from, once, now")
        parser.add_argument(
            "--source",
            choices=PriceList.Source.values,
            default=PriceList.Source.FIRST,
            help="litellm: model_prices_and_context_window.json, for models that the first source lacks",
        )
        parser.add_argument("--name", default="", help="what events call this version; by default its date and hash")
        parser.add_argument(
            "--from", dest="starts_at", type=moment, metavar="MOMENT", help="such as 2026-12-01 (UTC); by default now"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """One version more, or with a clear message none."""
        try:
            content, origin = _content(options)
            row = import_list(
                source=options["source"],
                version=options["name"] or _name(content, options),
                content=content,
                origin=origin,
                starts_at=options["starts_at"],
            )
        except AlreadyImported as already:
            self.stdout.write(str(already))
            return
        except (BadPriceFile, OSError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{row}: {row.models_count} models, for calls from {row.starts_at:%Y-%m-%d %H:%M} UTC on.")
        left_out = getattr(source_of(row.pk), "left_out", {})
        if left_out:
            self.stdout.write(f"{len(left_out)} entries are not used, since they could not be charged rightly.")


def _content(options: dict[str, Any]) -> tuple[bytes, str]:
    """The document and where it is from."""
    if options["url"]:
        return download(options["url"]), options["url"]
    if options["file"]:
        return options["file"].read_bytes(), str(options["file"].name)
    if options["source"] != PriceList.Source.FIRST:
        raise BadPriceFile("Name a --file or a --url: only genai-prices is installed.")
    return price_files.installed(), "the installed package"


def _name(content: bytes, options: dict[str, Any]) -> str:
    if not options["url"] and not options["file"]:
        return VERSION.partition(" ")[2]
    return f"{timezone.now():%Y-%m-%d} {hashlib.sha256(content).hexdigest()[:8]}"
