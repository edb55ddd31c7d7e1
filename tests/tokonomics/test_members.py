from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.utils import timezone

from tests.factories import MembershipFactory, UserFactory, WorkspaceFactory
from tests.people import give_role
from tokonomics.members import (
    NotAllowed,
    accept,
    change_role,
    find_invitation,
    invite,
    open_invitations,
    remove,
    withdraw,
)
from tokonomics.models import AuditEntry, Invitation, Membership, Role, User, Workspace


def membership_of(user: User) -> Membership:
    return Membership.objects.get(user=user)


def test_an_invitation_makes_a_member(alice: User, workspace: Workspace) -> None:
    invitation, token = invite(workspace=workspace, email=" Dora@Example.com ", role=Role.MEMBER, actor=alice)
    dora = UserFactory.create(email="dora@example.com")
    assert find_invitation(token) == invitation
    membership = accept(invitation=invitation, user=dora)
    assert (membership.workspace, membership.user, membership.role) == (workspace, dora, Role.MEMBER)
    assert find_invitation(token) is None
    verbs = AuditEntry.objects.order_by("id").values_list("actor_name", "verb")
    assert list(verbs) == [("alice@example.com", "invited"), ("dora@example.com", "joined")]


def test_the_token_is_not_kept(alice: User, workspace: Workspace) -> None:
    invitation, token = invite(workspace=workspace, email="dora@example.com", role=Role.MEMBER, actor=alice)
    assert token.encode() not in bytes(Invitation.objects.get(pk=invitation.pk).digest)
    assert len(token) == 43


def test_an_invitation_is_for_one_address(alice: User, bob: User, workspace: Workspace) -> None:
    invitation, _ = invite(workspace=workspace, email="dora@example.com", role=Role.ADMIN, actor=alice)
    with pytest.raises(ValidationError, match=r"for dora@example\.com"):
        accept(invitation=invitation, user=bob)
    assert membership_of(bob).role == Role.VIEWER


def test_an_invitation_works_once(alice: User, workspace: Workspace) -> None:
    invitation, _ = invite(workspace=workspace, email="dora@example.com", role=Role.MEMBER, actor=alice)
    dora = UserFactory.create(email="dora@example.com")
    accept(invitation=invitation, user=dora)
    remove(membership=membership_of(dora), actor=alice)
    with pytest.raises(ValidationError, match="used, withdrawn"):
        accept(invitation=invitation, user=dora)


def test_an_invitation_ends_when_it_is_withdrawn(alice: User, workspace: Workspace) -> None:
    invitation, token = invite(workspace=workspace, email="dora@example.com", role=Role.MEMBER, actor=alice)
    withdraw(invitation=invitation, actor=alice)
    assert find_invitation(token) is None
    with pytest.raises(ValidationError, match="used, withdrawn"):
        accept(invitation=invitation, user=UserFactory.create(email="dora@example.com"))


def test_an_invitation_ends_with_its_time(alice: User, workspace: Workspace) -> None:
    _, token = invite(workspace=workspace, email="dora@example.com", role=Role.MEMBER, actor=alice)
    Invitation.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert find_invitation(token) is None
    assert not open_invitations(workspace).exists()


def test_a_second_invitation_replaces_the_first(alice: User, workspace: Workspace) -> None:
    _, first = invite(workspace=workspace, email="dora@example.com", role=Role.MEMBER, actor=alice)
    second, _ = invite(workspace=workspace, email="dora@example.com", role=Role.VIEWER, actor=alice)
    assert find_invitation(first) is None
    assert list(open_invitations(workspace)) == [second]


def test_a_member_is_not_invited(alice: User, bob: User, workspace: Workspace) -> None:
    with pytest.raises(ValidationError, match="member already"):
        invite(workspace=workspace, email="BOB@example.com", role=Role.ADMIN, actor=alice)


def test_only_an_owner_makes_an_owner(bob: User, workspace: Workspace) -> None:
    give_role(bob, workspace, Role.ADMIN)
    with pytest.raises(NotAllowed):
        invite(workspace=workspace, email="dora@example.com", role=Role.OWNER, actor=bob)
    with pytest.raises(NotAllowed):
        change_role(membership=membership_of(bob), role=Role.OWNER, actor=bob)
    assert membership_of(bob).role == Role.ADMIN


def test_only_an_owner_touches_an_owner(alice: User, bob: User, workspace: Workspace) -> None:
    give_role(bob, workspace, Role.ADMIN)
    with pytest.raises(NotAllowed):
        change_role(membership=membership_of(alice), role=Role.VIEWER, actor=bob)
    with pytest.raises(NotAllowed):
        remove(membership=membership_of(alice), actor=bob)
    assert membership_of(alice).role == Role.OWNER


def test_an_owner_of_another_workspace_is_no_owner_here(charlie: User, workspace: Workspace, alice: User) -> None:
    with pytest.raises(NotAllowed):
        remove(membership=membership_of(alice), actor=charlie)


def test_change_role_records_both(alice: User, bob: User, workspace: Workspace) -> None:
    change_role(membership=membership_of(bob), role=Role.ADMIN, actor=alice)
    assert membership_of(bob).role == Role.ADMIN
    assert AuditEntry.objects.get().details == {"role": {"before": "viewer", "after": "admin"}}


def test_the_last_owner_stays(alice: User, bob: User) -> None:
    with pytest.raises(ValidationError, match="needs an owner"):
        remove(membership=membership_of(alice), actor=alice)
    with pytest.raises(ValidationError, match="needs an owner"):
        change_role(membership=membership_of(alice), role=Role.ADMIN, actor=alice)
    assert membership_of(alice).role == Role.OWNER


def test_an_owner_may_leave_another_one_behind(alice: User, bob: User, workspace: Workspace) -> None:
    change_role(membership=membership_of(bob), role=Role.OWNER, actor=alice)
    remove(membership=membership_of(alice), actor=alice)
    assert list(workspace.memberships.values_list("user__email", flat=True)) == ["bob@example.com"]
    assert AuditEntry.objects.latest("id").verb == "left as"


@pytest.mark.django_db(transaction=True)
def test_two_owners_who_remove_each_other_at_once_leave_one() -> None:
    workspace = WorkspaceFactory.create()
    one, two = (MembershipFactory.create(workspace=workspace, role=Role.OWNER) for _ in range(2))

    def fire(pair: tuple[Membership, Membership]) -> str:
        target, actor = pair
        try:
            remove(membership=target, actor=actor.user)
        except (ValidationError, NotAllowed) as error:
            return type(error).__name__
        finally:
            connection.close()
        return "removed"

    with ThreadPoolExecutor(2) as pool:
        outcomes = sorted(pool.map(fire, [(one, two), (two, one)]))
    assert outcomes[1] == "removed"
    assert outcomes[0] in ("NotAllowed", "ValidationError")
    assert workspace.memberships.count() == 1


@pytest.mark.django_db(transaction=True)
def test_ten_accepts_at_once_make_one_membership() -> None:
    owner = MembershipFactory.create(role=Role.OWNER)
    invitation, _ = invite(workspace=owner.workspace, email="dora@example.com", role=Role.MEMBER, actor=owner.user)
    dora = UserFactory.create(email="dora@example.com")

    def fire(_: int) -> bool:
        try:
            accept(invitation=invitation, user=dora)
        except ValidationError:
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(10) as pool:
        assert sum(pool.map(fire, range(10))) == 1
    assert Membership.objects.filter(user=dora).count() == 1
