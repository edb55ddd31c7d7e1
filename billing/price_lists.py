"""The price lists that are in use: the pinned package from the beginning on, and the versions that were imported."""

from __future__ import annotations

import hashlib
import zlib
from datetime import datetime
from functools import lru_cache
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from billing import litellm, price_files
from billing.book import Dated, Lists
from billing.cards import BEGINNING
from billing.catalogue import Catalogue
from billing.listing import PriceSource
from billing.models import PriceList
from billing.price_files import BadPriceFile

KEPT = 16
"""Versions kept parsed in a process."""
VERSION_LENGTH = 64


class AlreadyImported(Exception):
    """The same prices are there; carries the row, `found`."""

    def __init__(self, found: PriceList) -> None:
        super().__init__(f"{found} holds the same prices, from {found.starts_at:%Y-%m-%d %H:%M} UTC on.")
        self.found = found


@lru_cache(maxsize=1)
def built_in() -> Catalogue:
    """The prices of the pinned package."""
    return Catalogue()


def current_lists() -> Lists:
    """Every list with its time, in one query; parsed versions are kept in the process."""
    rows = list(PriceList.objects.order_by("starts_at", "created_at").values_list("id", "source", "starts_at"))
    first = [Dated(starts, source_of(row)) for row, source, starts in rows if source == PriceList.Source.FIRST]
    second = [Dated(starts, source_of(row)) for row, source, starts in rows if source == PriceList.Source.SECOND]
    return Lists([Dated(BEGINNING, built_in()), *first], second)


def list_named(name: str, moment: datetime) -> PriceSource | None:
    """A version as events name it (`litellm 2026-11-25 ab12cd34`); by its source alone, or empty for the first, the one
    that is in force at a moment. None: there is none.
    """
    source, _, version = (name or PriceList.Source.FIRST.value).partition(" ")
    rows = PriceList.objects.filter(source=source).order_by("-starts_at", "-created_at")
    row = (rows.filter(version=version) if version else rows.filter(starts_at__lte=moment)).first()
    if row is not None:
        return source_of(row.pk)
    return built_in() if source == PriceList.Source.FIRST and not version else None


@lru_cache(maxsize=KEPT)
def source_of(price_list: UUID) -> PriceSource:
    """The prices of a version: it never changes, so it is read once."""
    row = PriceList.objects.get(pk=price_list)
    return read(row.source, row.version, zlib.decompress(row.content))


def read(source: str, version: str, content: bytes) -> PriceSource:
    """The prices in a document. Raises BadPriceFile."""
    if source == PriceList.Source.SECOND:
        return litellm.SecondSource(content, version)
    return price_files.catalogue(content, version)


@transaction.atomic
def import_list(
    *, source: str, version: str, content: bytes, origin: str, starts_at: datetime | None = None
) -> PriceList:
    """Store a version, which counts from `starts_at` (aware, now by default) on.

    Raises BadPriceFile, `AlreadyImported` where the newest version of the source has the same content, and BadPriceFile
    for a version whose name is taken by other prices.
    """
    if not version or len(version) > VERSION_LENGTH or not version.isprintable() or "," in version:
        raise BadPriceFile(f"Name the version in at most {VERSION_LENGTH} characters, without a comma.")
    listed = read(source, version, content)
    sha256 = hashlib.sha256(content).hexdigest()
    versions = PriceList.objects.filter(source=source)
    newest = versions.order_by("-starts_at", "-created_at").first()
    if newest and newest.sha256 == sha256:
        raise AlreadyImported(newest)
    if versions.filter(version=version).exists():
        raise BadPriceFile(f"There is a version {version} with other prices: name this one differently.")
    return PriceList.objects.create(
        source=source,
        version=version,
        starts_at=starts_at or timezone.now(),
        sha256=sha256,
        content=zlib.compress(content, 9),
        models_count=sum(len(listed.models(provider)) for provider in listed.providers()),
        origin=origin,
    )
