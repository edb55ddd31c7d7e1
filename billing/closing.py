"""Which days are closed: what a statement was made of is never changed again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from django.core.exceptions import ValidationError
from django.db.models import Max, Q

from billing.models import Closing
from metering import clock
from tokonomics import audit
from tokonomics.audit import Actor
from tokonomics.models import Workspace


@dataclass(frozen=True, slots=True)
class Closed:
    """The last closed day of every client together, None: none, and of single clients by slug, where it is later."""

    everyone: date | None = None
    clients: Mapping[str, date] = field(default_factory=dict)

    def holds(self, client: str, day: date) -> bool:
        """Whether a client's day is closed."""
        ends = (self.everyone, self.clients.get(client))
        return any(end is not None and day <= end for end in ends)

    def open_events(self) -> Q:
        """The condition on events (or rollups) that their day is still open."""
        found = Q() if self.everyone is None else Q(day__gt=self.everyone)
        for client, end in self.clients.items():
            found &= ~Q(client=client, day__lte=end)
        return found


def closed_until(workspace: Workspace) -> Closed:
    """What is closed in a workspace (1 query). A day that no closing names is open, however long ago it was."""
    rows = Closing.objects.filter(workspace=workspace).values("client").annotate(last=Max("until"))
    ends = {row["client"]: row["last"] for row in rows}
    everyone = ends.pop(None, None)
    later = {name: end for name, end in ends.items() if name is not None and (everyone is None or end > everyone)}
    return Closed(everyone, later)


def close(*, workspace: Workspace, until: date, client: str | None = None, actor: Actor | None) -> Closing:
    """Close all days up to `until`, of one client or of all; for good. Raises ValidationError for a day not over."""
    if until >= clock.today(workspace):
        raise ValidationError({"until": "Only days that are over can be closed."})
    made = Closing.objects.create(workspace=workspace, client=client, until=until, made_by=str(actor or "Tokonomics"))
    audit.record("closed", made, workspace=workspace, actor=actor)
    return made
