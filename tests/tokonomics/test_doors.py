"""Every address that names a workspace, found from the addresses themselves, so that a new page cannot be forgotten."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.urls.converters import UUIDConverter
from pytest_django import Settings

from tokonomics.ids import new_id
from tokonomics.models import User, Workspace

OWN = {"member_remove"}
"""What a viewer may do: end their own membership."""


def patterns(found: list[URLPattern | URLResolver]) -> Iterator[URLPattern]:
    for entry in found:
        if isinstance(entry, URLResolver):
            yield from patterns(entry.url_patterns)
        elif "workspace" in entry.pattern.converters:
            yield entry


PAGES = {str(entry.name): entry for entry in patterns(get_resolver().url_patterns)}
NAMES = sorted(PAGES)


def address(name: str, workspace: Workspace) -> str:
    """The page of this workspace, with ids of things that do not exist."""
    kinds = PAGES[name].pattern.converters
    ids: dict[str, Any] = {
        key: new_id() if isinstance(kind, UUIDConverter) else "openai" for key, kind in kinds.items()
    }
    return reverse(name, kwargs=ids | {"workspace": workspace.pk})


def test_there_are_pages() -> None:
    assert {"overview", "keys", "providers", "settings"} < set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_stranger_finds_nothing(as_charlie: Client, workspace: Workspace, name: str) -> None:
    url = address(name, workspace)
    answers = [as_charlie.get(url), as_charlie.post(url, {"name": "evil"})]
    assert {answer.status_code for answer in answers} <= {404, 405}
    for answer in answers:
        assert b"Ada" not in answer.content


@pytest.mark.parametrize("name", NAMES)
def test_a_visitor_logs_in_first(client: Client, workspace: Workspace, name: str) -> None:
    url = address(name, workspace)
    for answer in (client.get(url), client.post(url)):
        assert answer.status_code in (302, 405)
        if answer.status_code == 302:
            assert answer["Location"].startswith("/accounts/login/?next=/w/")


@pytest.mark.parametrize("name", [name for name in NAMES if name not in OWN])
def test_a_viewer_changes_nothing(as_bob: Client, bob: User, workspace: Workspace, name: str) -> None:
    assert as_bob.post(address(name, workspace), {"name": "evil"}).status_code in (403, 405)


@pytest.mark.parametrize("name", NAMES)
def test_a_form_without_its_token_is_refused(workspace: Workspace, alice: User, name: str) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(alice)
    assert browser.post(address(name, workspace), {"name": "evil"}).status_code in (403, 405)


@pytest.mark.django_db
def test_the_admin_is_off(client: Client) -> None:
    assert client.get("/admin/").status_code == 404


def test_a_page_may_run_no_script_but_ours(as_alice: Client, workspace: Workspace) -> None:
    answer = as_alice.get(address("keys", workspace))
    policy = answer["Content-Security-Policy"]
    assert "script-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert answer["X-Content-Type-Options"] == "nosniff"


@pytest.mark.django_db
def test_a_host_that_is_not_ours_is_refused(client: Client, settings: Settings) -> None:
    settings.ALLOWED_HOSTS = ["testserver"]
    assert client.get("/accounts/login/", headers={"Host": "evil.example.com"}).status_code == 400
