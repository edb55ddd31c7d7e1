from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from allauth.account.models import EmailAddress
from django.core import mail
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from tests.factories import PASSWORD, UserFactory
from tokonomics.models import User

pytestmark = pytest.mark.django_db
NEW = "another horse battery"


@pytest.fixture
def ada() -> User:
    user = UserFactory.create(email="ada@example.com", password=PASSWORD)
    EmailAddress.objects.create(user=user, email=user.email, primary=True, verified=True)
    return user


def log_in(client: Client, email: str = "ada@example.com", password: str = PASSWORD, query: str = "") -> Any:
    return client.post(f"/accounts/login/{query}", {"login": email, "password": password})


def reset_link(client: Client, **headers: str) -> str:
    client.post("/accounts/password/reset/", {"email": "ada@example.com"}, headers=headers)
    found = re.search(r"https?://\S+/accounts/password/reset/key/\S+", str(mail.outbox[-1].body))
    assert found
    return found[0]


def use(client: Client, link: str, password: str = NEW) -> Any:
    """Follow a reset link, which redirects to a page without the key in its address, and set a password there."""
    path = re.sub(r"https?://[^/]+", "", link)
    response = client.get(path, follow=True)
    if b"no longer works" in response.content:
        return response
    return client.post(response.redirect_chain[-1][0], {"password1": password, "password2": password}, follow=True)


def test_the_right_password_opens(client: Client, ada: User) -> None:
    response = log_in(client, "ADA@example.com")
    assert (response.status_code, response["Location"]) == (302, "/")
    assert client.session["_auth_user_id"] == str(ada.pk)


def test_an_unknown_address_and_a_wrong_password_look_the_same(client: Client, ada: User) -> None:
    wrong, unknown = log_in(client, password="wrong"), log_in(Client(), "eve@example.com")
    text = re.compile(rb'value="[^"]*"')
    assert text.sub(b"", wrong.content) == text.sub(b"", unknown.content)
    assert b"The address or the password is not right." in wrong.content


def test_a_closed_account_does_not_open(client: Client, ada: User) -> None:
    User.objects.update(is_active=False)
    log_in(client)
    assert "_auth_user_id" not in client.session


@pytest.mark.parametrize(
    "target",
    ["//evil.example.com", "https://evil.example.com", "https:evil.example.com", "/\\evil", "javascript:alert(1)"],
)
def test_log_in_does_not_lead_away(client: Client, ada: User, target: str) -> None:
    assert log_in(client, query=f"?next={target}")["Location"] == "/"


def test_log_in_leads_back(client: Client, ada: User) -> None:
    assert log_in(client, query="?next=/workspaces/new/")["Location"] == "/workspaces/new/"


def test_guesses_are_limited_whatever_address_they_claim_to_come_from(client: Client, ada: User) -> None:
    for number in range(5):
        client.post(
            "/accounts/login/",
            {"login": "ada@example.com", "password": "wrong"},
            headers={"X-Forwarded-For": f"203.0.113.{number}"},
        )
    response = log_in(client)
    assert b"Too many wrong passwords" in response.content
    assert "_auth_user_id" not in client.session


def test_log_out_needs_a_form(client: Client, ada: User) -> None:
    log_in(client)
    assert b"Log out?" in client.get("/accounts/logout/").content
    assert "_auth_user_id" in client.session
    client.post("/accounts/logout/")
    assert "_auth_user_id" not in client.session


def test_forms_need_their_token(ada: User) -> None:
    response = log_in(Client(enforce_csrf_checks=True))
    assert response.status_code == 403
    assert b"open for too long" in response.content


def test_a_reset_link_sets_a_password_once(client: Client, ada: User) -> None:
    link = reset_link(client)
    assert b"Your new password is set" in use(client, link).content
    assert b"no longer works" in use(Client(), link).content
    assert log_in(Client(), password=NEW).status_code == 302
    assert log_in(Client()).status_code == 200


def test_a_reset_link_ends_after_an_hour(client: Client, ada: User) -> None:
    link = reset_link(client)
    with time_machine.travel(timezone.now() + timedelta(hours=1, seconds=2)):
        assert b"no longer works" in use(client, link).content


def test_a_reset_link_names_the_configured_host(client: Client, ada: User, settings: Settings) -> None:
    settings.PUBLIC_URL = "https://meter.example.com"
    assert reset_link(client).startswith("https://meter.example.com/accounts/password/reset/key/")
    settings.ALLOWED_HOSTS = ["testserver"]
    response = client.post(
        "/accounts/password/reset/", {"email": "ada@example.com"}, headers={"Host": "evil.example.com"}
    )
    assert response.status_code == 400
    assert reset_link(client, **{"X-Forwarded-Host": "evil.example.com"}).startswith("https://meter.example.com/")


def test_a_reset_does_not_tell_whether_there_is_an_account(client: Client, ada: User, settings: Settings) -> None:
    settings.PUBLIC_URL = "https://meter.example.com"
    known = client.post("/accounts/password/reset/", {"email": "ada@example.com"}, follow=True)
    unknown = client.post("/accounts/password/reset/", {"email": "eve@example.com"}, follow=True)
    assert known.content == unknown.content
    assert mail.outbox[1].to == ["eve@example.com"]
    assert mail.outbox[1].subject == "You have no account here"
    assert "https://meter.example.com/accounts/signup/" in mail.outbox[1].body


def test_a_new_password_logs_out_everywhere_else(client: Client, ada: User) -> None:
    here, there = Client(), Client()
    log_in(here)
    log_in(there)
    here.post("/accounts/password/change/", {"oldpassword": PASSWORD, "password1": NEW, "password2": NEW})
    assert here.get("/workspaces/new/").status_code == 200
    assert there.get("/workspaces/new/").status_code == 302
    assert "password was changed" in mail.outbox[-1].body.lower() or "password" in mail.outbox[-1].subject.lower()


def test_a_mail_server_that_is_away_breaks_no_page(client: Client, ada: User, settings: Settings) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    response = client.post("/accounts/password/reset/", {"email": "ada@example.com"})
    assert response["Location"] == "/accounts/password/reset/done/"


@pytest.mark.parametrize(
    "path", ["/accounts/email/", "/accounts/password/change/", "/accounts/2fa/", "/accounts/reauthenticate/"]
)
def test_the_pages_of_an_account_open(client: Client, ada: User, path: str) -> None:
    log_in(client)
    response = client.get(path)
    assert response.status_code == 200
    assert response.content.count(b"<h1>") == 1


def test_another_address_holds_once_its_link_was_followed(client: Client, ada: User, settings: Settings) -> None:
    settings.PUBLIC_URL = "https://meter.example.com"
    log_in(client)
    change = {"email": "ada@new.example.com", "action_add": ""}
    assert client.post("/accounts/email/", change)["Location"].startswith("/accounts/reauthenticate/")
    assert not mail.outbox
    client.post("/accounts/reauthenticate/", {"password": PASSWORD})
    client.post("/accounts/email/", change)
    assert b"ada@new.example.com waits to be confirmed." in client.get("/accounts/email/").content
    assert mail.outbox[-1].to == ["ada@new.example.com"]
    ada.refresh_from_db()
    assert ada.email == "ada@example.com"
    found = re.search(r"https://meter\.example\.com(/accounts/confirm-email/\S+)", str(mail.outbox[-1].body))
    assert found
    client.post(found[1])
    ada.refresh_from_db()
    assert ada.email == "ada@new.example.com"
