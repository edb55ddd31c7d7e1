"""Runs that price calls anew: a preview, and the same for good. Each goes on in steps, a transaction each.

A step moves the run's position together with what it found or appended, so that a run may be killed at any moment and
go on where it was, and two that work on one run take turns. The ids of adjustments follow from the call and the run,
and a call's present cost holds the adjustments so far: to run again changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone

from billing.cards import RateCards
from billing.closing import closed_until
from billing.models import Repricing, RepricingShare
from billing.money import usd_text
from billing.pricebook import book_of
from billing.repricing import Change, Look, candidates, look
from metering import periods
from metering.corrections import append
from metering.filters import EventFilter
from metering.periods import InvalidPeriod, Period
from tokonomics import audit
from tokonomics.audit import Actor
from tokonomics.models import User, Workspace
from tokonomics.work import ask

State = Repricing.State

STEP = 1000
"""Events a transaction."""
STALE = timedelta(minutes=2)
"""A run that has not moved for so long has lost its worker."""
TASK = "billing.tasks.go_on"
TURN = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 2))"
"""Of all runs of a workspace that append, one at a time: each must see what the others have moved."""


def make_run(
    *,
    workspace: Workspace,
    first: date,
    last: date,
    provider: str = "",
    model: str = "",
    unpriced_only: bool = False,
    actor: Actor | None,
) -> Repricing:
    """A new run, whose preview has begun. Raises ValidationError, by field."""
    try:
        periods.chosen(first.isoformat(), last.isoformat(), last)
    except InvalidPeriod as error:
        raise ValidationError({"last": str(error)}) from error
    run = Repricing(workspace=workspace, first=first, last=last, unpriced_only=unpriced_only)
    run.provider, run.model = provider.strip(), model.strip()
    run.made_by = str(actor or "Tokonomics")[:254]
    run.full_clean(exclude=["workspace"])
    run.save(force_insert=True)
    ask(TASK, str(run.pk))
    return run


@transaction.atomic
def apply_run(*, run: Repricing, actor: Actor | None) -> Repricing:
    """Have a run that was previewed append its adjustments. Raises ValidationError in any other state."""
    run = Repricing.objects.select_for_update().get(pk=run.pk)
    if run.state != State.PREVIEWED:
        raise ValidationError(f"This run is {run.get_state_display().lower()}: it cannot be applied.")
    run.state, run.position_at, run.position_id, run.seen, run.unpriceable = State.APPLYING, None, None, 0, 0
    run.applied_by = actor if isinstance(actor, User) else None
    run.applied_by_name = str(actor or "Tokonomics")[:254]
    run.save()
    ask(TASK, str(run.pk))
    return run


def work(run_id: UUID, *, steps: int | None = None, book: RateCards | None = None) -> bool:
    """Take a run on, to its end or for so many steps; whether it is at its end."""
    run = Repricing.objects.select_related("workspace").get(pk=run_id)
    book = book or book_of(run.workspace)
    taken = 0
    while steps is None or taken < steps:
        if not _step(run_id, book):
            return True
        taken += 1
    return False


def fail(run_id: UUID, message: str) -> None:
    """Say that a run cannot go on; what it appended stays, and another run takes up the rest."""
    running = Repricing.objects.filter(pk=run_id, state__in=[State.PREVIEWING, State.APPLYING])
    running.update(state=State.FAILED, error=message[:1000], finished_at=timezone.now())


def stale_runs() -> list[UUID]:
    """The runs whose worker was lost, or whose message was."""
    running = Repricing.objects.filter(state__in=[State.PREVIEWING, State.APPLYING])
    return list(running.filter(moved_at__lt=timezone.now() - STALE).values_list("id", flat=True))


def selection_of(run: Repricing) -> EventFilter:
    """The calls that a run is about."""
    only = "unpriced" if run.unpriced_only else ""
    return EventFilter(Period(run.first, run.last), provider=run.provider, model=run.model, only=only)


@transaction.atomic
def _step(run_id: UUID, book: RateCards) -> bool:
    """One transaction of a run; whether there is more to do."""
    run = Repricing.objects.select_for_update(of=("self",)).select_related("workspace").get(pk=run_id)
    if run.state not in (State.PREVIEWING, State.APPLYING):
        return False
    applying = run.state == State.APPLYING
    if applying:
        with connection.cursor() as cursor:
            cursor.execute(TURN, [str(run.workspace_id)])
    found = candidates(run.workspace_id, selection_of(run), closed_until(run.workspace))
    after = (run.position_at, run.position_id) if run.position_at and run.position_id else None
    looked = look(found, after, STEP, book)
    more = looked.seen == STEP
    _move(run, looked, more=more)
    if applying and not more:
        _add_shares(run, _appended(run, looked.changes))
        _note(run)
    else:
        _add_shares(run, _appended(run, looked.changes) if applying else looked.changes)
    return more


def _appended(run: Repricing, changes: Sequence[Change]) -> list[Change]:
    """The changes whose adjustments were not there yet, and are now."""
    records = {record["id"]: change for change in changes for record in [change.adjustment(run.pk)]}
    added = append([change.adjustment(run.pk) for change in changes])
    return [records[record["id"]] for record in added]


def _move(run: Repricing, looked: Look, *, more: bool) -> None:
    run.seen += looked.seen
    run.unpriceable += looked.unpriceable
    if looked.position:
        run.position_at, run.position_id = looked.position
    if not more:
        run.state = State.APPLIED if run.state == State.APPLYING else State.PREVIEWED
        run.finished_at = timezone.now() if run.state == State.APPLIED else None
    run.save()


def _add_shares(run: Repricing, changes: Sequence[Change]) -> None:
    """Add changes to the sums by client."""
    applied = run.state in (State.APPLYING, State.APPLIED)
    by_client: dict[str, list[Change]] = {}
    for change in changes:
        by_client.setdefault(change.event.client, []).append(change)
    for client, some in sorted(by_client.items()):
        share, _ = RepricingShare.objects.get_or_create(
            repricing=run,
            applied=applied,
            client=client,
            defaults={"workspace_id": run.workspace_id, "calls": 0, "priced": 0, "old": 0, "new": 0},
        )
        RepricingShare.objects.filter(pk=share.pk).update(
            calls=F("calls") + len(some),
            priced=F("priced") + sum(change.old is None for change in some),
            old=F("old") + sum(change.old or 0 for change in some),
            new=F("new") + sum(change.charge.cost for change in some),
        )


def _note(run: Repricing) -> None:
    """Write the run down in the audit log, with what it has moved."""
    shares = run.shares.filter(applied=True)
    moved = sum(share.new - share.old for share in shares)
    calls = sum(share.calls for share in shares)
    audit.record(
        "re-priced",
        run,
        workspace=run.workspace,
        actor=run.applied_by,
        calls=calls,
        difference_usd=usd_text(moved),
        unpriced_only=run.unpriced_only,
    )
