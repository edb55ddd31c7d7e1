from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.conf import settings
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from tests.factories import PASSWORD, MembershipFactory, UserFactory
from tests.people import signed_in

START = datetime(2026, 6, 1, 12, tzinfo=UTC)
pytestmark = pytest.mark.django_db


@pytest.fixture
def browser() -> Client:
    with time_machine.travel(START, tick=False):
        browser = signed_in(MembershipFactory.create().user)
        assert is_signed_in(browser)
    return browser


def is_signed_in(browser: Client) -> bool:
    return browser.get("/workspaces/new/").status_code == 200


def later(browser: Client, **after: float) -> bool:
    with time_machine.travel(START + timedelta(**after), tick=False):
        return is_signed_in(browser)


def test_a_session_lasts_while_it_is_used(browser: Client) -> None:
    assert all(later(browser, days=days) for days in range(0, 30, 6))


def test_a_session_ends_when_it_is_not_used(browser: Client) -> None:
    assert later(browser, seconds=settings.SESSION_IDLE_AGE - 1)
    assert not later(browser, seconds=2 * settings.SESSION_IDLE_AGE)
    assert not later(browser, seconds=2 * settings.SESSION_IDLE_AGE)


def test_a_session_ends_however_much_it_is_used(browser: Client) -> None:
    assert all(later(browser, days=days) for days in range(0, 30, 3))
    assert not later(browser, days=30, seconds=1)


def test_a_page_that_polls_does_not_write_its_session_each_time(
    browser: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(2):  # the session and the user, read
        assert later(browser, seconds=30)


def test_the_log_in_gives_a_new_session() -> None:
    UserFactory.create(email="ada@example.com", password=PASSWORD)
    browser = Client()
    browser.get("/invitations/x/")
    session = browser.session
    session["planted"] = "yes"
    session.save()
    before = session.session_key
    assert before
    browser.cookies[settings.SESSION_COOKIE_NAME] = before
    browser.post("/accounts/login/", {"login": "ada@example.com", "password": PASSWORD})
    assert browser.session.session_key != before
