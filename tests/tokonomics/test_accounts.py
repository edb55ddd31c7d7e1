from __future__ import annotations

import pytest
from allauth.account.models import EmailAddress
from django.core.exceptions import ValidationError

from tests.factories import UserFactory
from tokonomics.accounts import change_workspace, make_user, open_workspace, time_zones
from tokonomics.models import AuditEntry, Role, User, Workspace


def test_time_zones_are_cities_and_utc() -> None:
    zones = time_zones()
    assert zones[0] == "UTC"
    assert {"Europe/Vienna", "America/Argentina/Buenos_Aires"} < set(zones)
    assert not {"Factory", "localtime", "posixrules", "EST"} & set(zones)


@pytest.mark.django_db
def test_open_workspace_makes_its_owner_and_says_so() -> None:
    user = UserFactory.create()
    workspace = open_workspace(name="  Ada's \t Agency ", timezone="Europe/Vienna", owner=user)
    assert (workspace.name, workspace.timezone) == ("Ada's Agency", "Europe/Vienna")
    assert workspace.memberships.get().role == Role.OWNER
    entry = AuditEntry.objects.get()
    assert (entry.workspace, entry.actor, entry.verb, entry.object_name) == (workspace, user, "opened", "Ada's Agency")


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["", "   ", "x" * 101, "evil\r\nBcc: x@example.com\x00", "\u202e"])
def test_open_workspace_refuses_a_name_that_cannot_be_shown(name: str) -> None:
    user = UserFactory.create()
    with pytest.raises(ValidationError, match="at most 100"):
        open_workspace(name=name, timezone="UTC", owner=user)
    assert not Workspace.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize("zone", ["", "Factory", "../../etc/passwd", "Mars/Olympus", "europe/vienna"])
def test_open_workspace_refuses_a_time_zone_that_is_none(zone: str) -> None:
    user = UserFactory.create()
    with pytest.raises(ValidationError, match="not a time zone"):
        open_workspace(name="Ada", timezone=zone, owner=user)


def test_change_workspace_records_what_it_was(alice: User, workspace: Workspace) -> None:
    change_workspace(workspace=workspace, name="Ada & Co", timezone="Europe/Vienna", actor=alice)
    workspace.refresh_from_db()
    assert workspace.name == "Ada & Co"
    assert AuditEntry.objects.get().details == {"name": {"before": "Ada's Agency", "after": "Ada & Co"}}


def test_change_workspace_to_the_same_is_no_change(alice: User, workspace: Workspace) -> None:
    change_workspace(workspace=workspace, name="Ada's Agency", timezone="Europe/Vienna", actor=alice)
    assert not AuditEntry.objects.exists()


@pytest.mark.django_db
def test_make_user_has_a_confirmed_address() -> None:
    user = make_user(email=" Ada@Example.com ", password="pw")
    assert user.email == "ada@example.com"
    assert user.check_password("pw")
    assert EmailAddress.objects.get(user=user).verified


@pytest.mark.django_db
@pytest.mark.parametrize(("email", "password"), [("nobody", "pw"), ("", "pw"), ("ada@example.com", "")])
def test_make_user_refuses(email: str, password: str) -> None:
    with pytest.raises(ValidationError):
        make_user(email=email, password=password)
    assert not User.objects.exists()
