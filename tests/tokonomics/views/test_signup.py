from __future__ import annotations

from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.core import mail
from django.http import HttpResponse
from django.test import Client
from pytest_django import Settings

from tests.factories import UserFactory
from tokonomics.members import invite
from tokonomics.models import Membership, Role, User, Workspace

pytestmark = pytest.mark.django_db

ANSWERS = {
    "email": "Dora@Example.com",
    "password1": "correct horse battery",
    "name": "Dora & Co",
    "timezone": "Europe/Vienna",
}


def sign_up(client: Client, **answers: str) -> HttpResponse:
    response: Any = client.post("/accounts/signup/", {**ANSWERS, **answers})
    return response  # type: ignore[no-any-return]


def test_sign_up_opens_a_workspace(client: Client) -> None:
    response = sign_up(client)
    assert (response.status_code, response["Location"]) == (302, "/")
    membership = Membership.objects.get()
    assert (membership.user.email, membership.role) == ("dora@example.com", Role.OWNER)
    assert (membership.workspace.name, membership.workspace.timezone) == ("Dora & Co", "Europe/Vienna")
    assert client.get("/")["Location"] == f"/w/{membership.workspace_id}/"


def test_the_password_is_kept_as_argon2(client: Client, settings: Settings) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
    sign_up(client)
    assert User.objects.get().password.startswith("argon2")


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"email": "dora"}, "Enter a valid email address."),
        ({"password1": "short"}, "at least 8 characters"),
        ({"password1": "password"}, "too common"),
        ({"name": ""}, "This field is required."),
        ({"name": "x" * 101}, "at most 100"),
        ({"timezone": "Mars/Olympus"}, "Select a valid choice."),
    ],
)
def test_a_wrong_answer_makes_nothing_and_says_why(client: Client, wrong: dict[str, str], error: str) -> None:
    response = sign_up(client, **wrong)
    assert response.status_code == 200
    assert error in response.content.decode()
    assert not User.objects.exists()
    assert not Workspace.objects.exists()


def test_rights_cannot_be_asked_for(client: Client) -> None:
    sign_up(client, is_staff="1", is_superuser="1", role="owner")
    user = User.objects.get()
    assert not user.is_staff
    assert not user.is_superuser


def test_an_address_that_is_taken_is_not_told_apart_where_addresses_are_verified(
    client: Client, settings: Settings
) -> None:
    settings.ACCOUNT_EMAIL_VERIFICATION = "mandatory"
    UserFactory.create(email="dora@example.com")
    taken, free = sign_up(client), sign_up(Client(), email="erik@example.com")
    assert (taken.status_code, taken["Location"]) == (free.status_code, free["Location"])
    assert User.objects.filter(email="dora@example.com").count() == 1
    assert [message.subject for message in mail.outbox] == [
        "You have an account already",
        "Confirm your e-mail address",
    ]


def test_verification_lets_in_by_the_link_only(client: Client, settings: Settings) -> None:
    settings.ACCOUNT_EMAIL_VERIFICATION = "mandatory"
    settings.PUBLIC_URL = "https://meter.example.com"
    sign_up(client)
    assert "_auth_user_id" not in client.session
    link = next(word for word in mail.outbox[0].body.split() if "/confirm-email/" in word)
    assert link.startswith("https://meter.example.com/accounts/confirm-email/")
    client.post(link.removeprefix("https://meter.example.com"))
    assert EmailAddress.objects.get().verified


def test_closed_sign_up_is_for_the_invited(
    client: Client, settings: Settings, alice: User, workspace: Workspace
) -> None:
    settings.CLOSED_SIGNUP = True
    assert "By invitation only" in client.get("/accounts/signup/").content.decode()
    sign_up(client)
    assert not User.objects.filter(email="dora@example.com").exists()
    _, token = invite(workspace=workspace, email="dora@example.com", role=Role.MEMBER, actor=alice)
    client.get(f"/invitations/{token}/")
    sign_up(client)
    assert Membership.objects.get(user__email="dora@example.com").workspace == workspace


def test_an_invited_person_joins_and_opens_nothing(client: Client, alice: User, workspace: Workspace) -> None:
    _, token = invite(workspace=workspace, email="dora@example.com", role=Role.ADMIN, actor=alice)
    client.get(f"/invitations/{token}/")
    page = client.get("/accounts/signup/").content.decode()
    assert "Join Ada&#x27;s Agency" in page
    assert 'name="timezone"' not in page
    sign_up(client, email="mallory@example.com")
    membership = Membership.objects.get(user__email="dora@example.com")
    assert (membership.workspace, membership.role) == (workspace, Role.ADMIN)
    assert EmailAddress.objects.get(user=membership.user).verified
    assert not User.objects.filter(email="mallory@example.com").exists()


def test_sign_ups_are_limited(client: Client, settings: Settings) -> None:
    settings.ACCOUNT_RATE_LIMITS = {"signup": "2/m/ip"}
    codes = [sign_up(client, email="wrong").status_code for _ in range(3)]
    assert codes == [200, 200, 429]
    response = client.post("/accounts/signup/", ANSWERS)
    assert "Too many attempts" in response.content.decode()
