"""Who belongs to a workspace: invitations, roles, leaving. A workspace never loses its last owner."""

from __future__ import annotations

import secrets
from datetime import timedelta

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from tokonomics import audit
from tokonomics.crypto import digest
from tokonomics.models import Invitation, Membership, Role, User, Workspace

INVITATION_DAYS = 7
TOKEN_BYTES = 32


class NotAllowed(Exception):
    """The actor's own role does not reach this far: only an owner makes, changes or removes owners."""


@transaction.atomic
def invite(*, workspace: Workspace, email: str, role: Role, actor: User) -> tuple[Invitation, str]:
    """Offer a membership; returns the invitation and the token of its link, which is not kept.

    An open invitation of the same address is replaced. Raises ValidationError for a member, NotAllowed.
    """
    _lock(workspace)
    _owners_only(workspace, actor, role)
    email = email.strip().lower()
    if workspace.memberships.filter(user__email=email).exists():
        raise ValidationError(f"{email} is a member already.")
    open_invitations(workspace).filter(email=email).update(revoked_at=timezone.now())
    token = secrets.token_urlsafe(TOKEN_BYTES)
    invitation = Invitation.objects.create(
        workspace=workspace,
        email=email,
        role=role,
        digest=digest(token),
        invited_by=actor,
        expires_at=timezone.now() + timedelta(days=INVITATION_DAYS),
    )
    audit.record("invited", invitation, workspace=workspace, actor=actor, role=role)
    return invitation, token


def open_invitations(workspace: Workspace) -> QuerySet[Invitation]:
    """The invitations of a workspace that can still be accepted, newest first."""
    return _open().filter(workspace=workspace).order_by("-created_at", "id")


def find_invitation(token: str) -> Invitation | None:
    """The invitation that a link's token belongs to, while it can be accepted."""
    return _open().select_related("workspace").filter(digest=digest(token)).first()


@transaction.atomic
def accept(*, invitation: Invitation, user: User) -> Membership:
    """Join the workspace; of two accepts at once one wins. Raises ValidationError: another address, a used link."""
    if user.email != invitation.email:
        raise ValidationError(f"This invitation is for {invitation.email}. Log in with that address to accept it.")
    if not _open().filter(pk=invitation.pk).update(accepted_at=timezone.now()):
        raise ValidationError("This invitation was used, withdrawn or is too old. Ask for another one.")
    membership, _ = Membership.objects.get_or_create(
        workspace=invitation.workspace, user=user, defaults={"role": invitation.role}
    )
    audit.record("joined", membership, workspace=invitation.workspace, actor=user, role=membership.role)
    return membership


@transaction.atomic
def withdraw(*, invitation: Invitation, actor: User) -> None:
    """Make an open invitation's link useless; nothing happens to one that is used or withdrawn."""
    if _open().filter(pk=invitation.pk).update(revoked_at=timezone.now()):
        audit.record("withdrew", invitation, workspace=invitation.workspace, actor=actor)


@transaction.atomic
def change_role(*, membership: Membership, role: Role, actor: User) -> None:
    """Give a member another role; raises ValidationError for the last owner, NotAllowed."""
    workspace = membership.workspace
    _lock(workspace)
    membership.refresh_from_db()
    before = Role(membership.role)
    if before == role:
        return
    _owners_only(workspace, actor, before, role)
    _keep_an_owner(membership)
    membership.role = role
    membership.save(update_fields=["role"])
    audit.record("changed the role of", membership, workspace=workspace, actor=actor, role=audit.change(before, role))


@transaction.atomic
def remove(*, membership: Membership, actor: User) -> None:
    """End a membership, one's own too; raises ValidationError for the last owner, NotAllowed."""
    workspace = membership.workspace
    _lock(workspace)
    membership.refresh_from_db()
    _owners_only(workspace, actor, Role(membership.role))
    _keep_an_owner(membership)
    verb = "left as" if membership.user_id == actor.pk else "removed"
    audit.record(verb, membership, workspace=workspace, actor=actor)
    membership.delete()


def _open() -> QuerySet[Invitation]:
    return Invitation.objects.filter(accepted_at=None, revoked_at=None, expires_at__gt=timezone.now())


def _lock(workspace: Workspace) -> None:
    """Two owners who remove each other at the same time must not both succeed."""
    Workspace.objects.select_for_update().get(pk=workspace.pk)


def _owners_only(workspace: Workspace, actor: User, *roles: Role) -> None:
    if Role.OWNER not in roles:
        return
    if not workspace.memberships.filter(user=actor, role=Role.OWNER).exists():
        raise NotAllowed("Only an owner can make, change or remove an owner.")


def _keep_an_owner(membership: Membership) -> None:
    owners = membership.workspace.memberships.filter(role=Role.OWNER)
    if membership.role == Role.OWNER and not owners.exclude(pk=membership.pk).exists():
        raise ValidationError("A workspace needs an owner: make somebody else an owner first.")
