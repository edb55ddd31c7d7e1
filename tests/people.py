"""Three people in every test of a page: Alice owns the workspace, Bob belongs to it, Charlie is a stranger.

Charlie has a workspace of his own, so that there is something of his that must not be seen, and the other way round.
"""

from __future__ import annotations

import time

import pytest
from django.test import Client

from tests.factories import MembershipFactory, UserFactory, WorkspaceFactory
from tokonomics.models import Membership, Role, User, Workspace


@pytest.fixture
def workspace(db: None) -> Workspace:
    return WorkspaceFactory.create(name="Ada's Agency", timezone="Europe/Vienna")


@pytest.fixture
def alice(workspace: Workspace) -> User:
    """The owner of the workspace."""
    return _member("alice@example.com", workspace, Role.OWNER)


@pytest.fixture
def bob(workspace: Workspace) -> User:
    """A viewer of the workspace: may read, and nothing else. `role_of` makes him more."""
    return _member("bob@example.com", workspace, Role.VIEWER)


@pytest.fixture
def charlie(db: None) -> User:
    """The owner of another workspace."""
    return _member("charlie@example.com", WorkspaceFactory.create(name="Charlie's"), Role.OWNER)


@pytest.fixture
def as_alice(alice: User) -> Client:
    return signed_in(alice)


@pytest.fixture
def as_bob(bob: User) -> Client:
    return signed_in(bob)


@pytest.fixture
def as_charlie(charlie: User) -> Client:
    return signed_in(charlie)


def signed_in(user: User) -> Client:
    """A browser in which this user is signed in, and has been a moment ago."""
    browser = Client()
    browser.force_login(user)
    session = browser.session
    session["started"] = session["seen"] = int(time.time())
    session.save()
    return browser


def give_role(user: User, workspace: Workspace, role: Role) -> None:
    """Change what a member may do."""
    Membership.objects.filter(user=user, workspace=workspace).update(role=role)


def _member(email: str, workspace: Workspace, role: Role) -> User:
    user = UserFactory.create(email=email)
    MembershipFactory.create(user=user, workspace=workspace, role=role)
    return user
