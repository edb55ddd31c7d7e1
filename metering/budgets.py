"""Budgets of keys, clients and workspaces: setting, raising, pausing and removing them.

A hard budget is a cap, which stops calls; a soft one only warns. Money is in nano-USD, moments are aware. Every change
reaches the gateways by itself: a trigger of the table tells them (migration 0006).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from billing.money import NANO, usd_text
from metering.ledger import BudgetPeriod
from metering.models import ApiKey, Budget, Client
from tokonomics import audit
from tokonomics.audit import Actor
from tokonomics.models import Workspace

LARGEST = 10**9 * NANO
"""A billion dollars: a limit, its raise and what is reserved under it stay far from what the ledger's columns hold."""
LAST_BILLING_DAY = 28
REASON_LENGTH = 200
LONGEST_RAISE = timedelta(days=366)
STATUSES = (429, 402)


def budgets_of(workspace: Workspace) -> QuerySet[Budget, Budget]:
    """All budgets of a workspace, with what each is for."""
    return workspace.budgets.select_related("workspace", "client", "key")


@transaction.atomic
def set_budget(
    *,
    workspace: Workspace,
    client: Client | None = None,
    key: ApiKey | None = None,
    limit: int,
    hard: bool,
    billing_day: int = 1,
    actor: Actor | None,
) -> Budget:
    """Give a client, a key or with neither the whole workspace its budget, or change the one that it has.

    Months begin on `billing_day`, 1 to 28; the month that is open goes on as it began. A raise stays on top of the new
    limit. Raises ValidationError, by field, and for a target that is of another workspace or no longer in use.
    """
    _check_target(workspace, client, key)
    if not 0 <= limit <= LARGEST or (limit == 0 and not hard):
        raise ValidationError({"limit": "Give a limit above zero, of at most a billion dollars. A cap may be zero."})
    if not 1 <= billing_day <= LAST_BILLING_DAY:
        raise ValidationError({"billing_day": f"Choose a day from 1 to {LAST_BILLING_DAY}: every month has those."})
    Workspace.objects.select_for_update(no_key=True).get(pk=workspace.pk)
    found = workspace.budgets.filter(client=client, key=key).first()
    budget = found or Budget(workspace=workspace, client=client, key=key)
    before = _terms(budget) if found else {}
    budget.limit, budget.hard, budget.billing_day = limit, hard, billing_day
    after = _terms(budget)
    if before != after:
        budget.save()
        changes = {name: audit.change(before.get(name), value) for name, value in after.items()}
        details = {name: change for name, change in changes.items() if change["before"] != change["after"]}
        audit.record("set", budget, workspace=workspace, actor=actor, **details)
    return budget


@transaction.atomic
def raise_budget(*, budget: Budget, amount: int, until: datetime, reason: str, actor: Actor | None) -> Budget:
    """Add `amount` to the limit until a moment, in place of a raise that runs. Raises ValidationError, by field."""
    now, reason = timezone.now(), " ".join(reason.split())
    if not 0 < amount <= LARGEST:
        raise ValidationError({"amount": "Raise it by more than zero and at most a billion dollars."})
    if not now < until <= now + LONGEST_RAISE:
        raise ValidationError({"until": "Choose a day that is not over, at most a year from now."})
    if not reason or len(reason) > REASON_LENGTH or not reason.isprintable():
        raise ValidationError({"reason": f"Give the reason in at most {REASON_LENGTH} characters."})
    row = _lock(budget)
    row.raised_by, row.raised_until, row.raise_reason = amount, until, reason
    row.save(update_fields=["raised_by", "raised_until", "raise_reason"])
    details = {"amount_usd": usd_text(amount), "until": until.isoformat(), "reason": reason}
    audit.record("raised", row, workspace=row.workspace, actor=actor, **details)
    return row


@transaction.atomic
def end_raise(*, budget: Budget, actor: Actor | None) -> Budget:
    """Go back to the limit itself at once. Nothing happens where no raise runs."""
    row = _lock(budget)
    if row.raised_until and row.raised_until > timezone.now():
        amount = usd_text(row.raised_by)
        row.raised_by, row.raised_until, row.raise_reason = 0, None, ""
        row.save(update_fields=["raised_by", "raised_until", "raise_reason"])
        audit.record("ended the raise of", row, workspace=row.workspace, actor=actor, amount_usd=amount)
    return row


@transaction.atomic
def pause_budget(*, budget: Budget, actor: Actor | None) -> Budget:
    """Let calls pass whatever they cost, which goes on being counted, until the budget is resumed."""
    row = _lock(budget)
    if row.paused_at is None:
        _set_pause(row, timezone.now())
        audit.record("paused", row, workspace=row.workspace, actor=actor)
    return row


@transaction.atomic
def resume_budget(*, budget: Budget, actor: Actor | None) -> Budget:
    """Hold calls to the budget again, with all that was spent meanwhile."""
    row = _lock(budget)
    if row.paused_at is not None:
        _set_pause(row, None)
        audit.record("resumed", row, workspace=row.workspace, actor=actor)
    return row


@transaction.atomic
def remove_budget(*, budget: Budget, actor: Actor | None) -> None:
    """Take a budget away with its months; calls and what they cost stay."""
    row = _lock(budget)
    audit.record("removed", row, workspace=row.workspace, actor=actor, limit_usd=usd_text(row.limit))
    list(BudgetPeriod.objects.filter(budget_id=row.pk).order_by("starts_at").select_for_update())
    BudgetPeriod.objects.filter(budget_id=row.pk).delete()
    row.delete()


@transaction.atomic
def set_refusal_status(*, workspace: Workspace, status: int, actor: Actor | None) -> None:
    """Refuse what no cap has room for with this HTTP status: 429, or 402. Raises ValidationError for another one."""
    if status not in STATUSES:
        raise ValidationError({"status": "Choose 429 or 402."})
    before, workspace.budget_status = workspace.budget_status, status
    if before != status:
        workspace.save(update_fields=["budget_status"])
        change = audit.change(before, status)
        audit.record("changed", workspace, workspace=workspace, actor=actor, refusal_status=change)


def _check_target(workspace: Workspace, client: Client | None, key: ApiKey | None) -> None:
    if client and key:
        raise ValidationError("A budget is for a client or for a key, not for both.")
    for target in (client, key):
        if target and target.workspace_id != workspace.pk:
            raise ValidationError(f"{target} is not of this workspace.")
    if client and client.archived_at:
        raise ValidationError(f"{client} is archived: restore it first.")
    if key and key.revoked_at:
        raise ValidationError(f"{key} is revoked: nothing is spent with it.")


def _lock(budget: Budget) -> Budget:
    """The row as it is now, kept for this transaction; raises ValidationError where somebody has removed it."""
    found = Budget.objects.select_for_update(of=("self",)).select_related("workspace", "client", "key")
    row = found.filter(pk=budget.pk).first()
    if row is None:
        raise ValidationError("This budget was removed in the meantime.")
    return row


def _terms(budget: Budget) -> dict[str, Any]:
    """What of a budget its owner has chosen, as the audit log tells it."""
    kind = "cap" if budget.hard else "budget"
    return {"limit_usd": usd_text(budget.limit), "kind": kind, "billing_day": budget.billing_day}


def _set_pause(budget: Budget, moment: datetime | None) -> None:
    budget.paused_at = moment
    budget.save(update_fields=["paused_at"])
