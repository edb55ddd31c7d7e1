"""What a page calls a client, a key or a model, and in which colour it draws it."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from metering import chart
from metering.models import ApiKey, Client

UNATTRIBUTED = "Unattributed"
OTHERS = "fo"
NONE = "fn"
ELDEST = 200
"""Clients that keep a colour by their age; of later ones the name decides."""


@dataclass(frozen=True, slots=True)
class Name:
    """A client as a page shows it. `css` is its colour's class; `confirmed` is False where only calls use the name.

    `id` leads to its page; None: it has none.
    """

    slug: str
    label: str
    confirmed: bool = True
    css: str = OTHERS
    id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Names:
    """The clients of one workspace that a page speaks of."""

    known: Mapping[str, Name]

    def __getitem__(self, slug: str) -> Name:
        if not slug:
            return Name("", UNATTRIBUTED, css=NONE)
        return self.known.get(slug) or Name(slug, slug, confirmed=False)


def clients(workspace_id: UUID, slugs: Iterable[str], drawn: Sequence[str] = ()) -> Names:
    """The names of clients by slug; those that are `drawn` in a chart get a colour of their own (2 queries)."""
    rows = Client.objects.filter(workspace=workspace_id, slug__in={*slugs, *drawn}).values(
        "id", "slug", "name", "confirmed_at"
    )
    found = {row["slug"]: row for row in rows}
    eldest = Client.objects.filter(workspace=workspace_id).order_by("id").values_list("slug", flat=True)[:ELDEST]
    colours = _colours(drawn, {slug: age for age, slug in enumerate(eldest)})
    return Names(
        {
            slug: Name(
                slug,
                found[slug]["name"] if slug in found else slug,
                slug in found and found[slug]["confirmed_at"] is not None,
                colours.get(slug, OTHERS),
                found[slug]["id"] if slug in found else None,
            )
            for slug in {*slugs, *drawn}
            if slug
        }
    )


def colours(names: Sequence[str]) -> dict[str, str]:
    """A class of colour for each name, the same whenever the same ones are drawn together."""
    return _colours(names, {})


def _colours(names: Sequence[str], ages: Mapping[str, int]) -> dict[str, str]:
    wishes = sorted((ages.get(name, ELDEST), name) for name in names)
    preferred = [age if age < ELDEST else zlib.crc32(name.encode()) for age, name in wishes]
    return {name: f"f{slot}" for (_, name), slot in zip(wishes, chart.deal(preferred), strict=True)}


def keys(workspace_id: UUID, ids: Iterable[str]) -> dict[str, str]:
    """API keys by id, as text: `production (mk_…4f2a)` (1 query)."""
    return {str(key.id): str(key) for key in ApiKey.objects.filter(workspace=workspace_id, id__in=list(ids))}
