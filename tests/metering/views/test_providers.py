from __future__ import annotations

import json
import re
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from metering.credentials import connectable, secret_of
from metering.models import ProviderCredential
from tests.factories import ApiKeyFactory, ProviderCredentialFactory
from tests.metering.service_account import key_file
from tests.people import give_role
from tokonomics.ids import new_id
from tokonomics.models import Membership, Role, User, Workspace

SECRET = "sk-CANARY-0123456789abcdef"
ACTIONS = ("provider_edit", "provider_test", "provider_default", "provider_archive", "provider_restore")


def at(name: str, workspace: Workspace, *ids: object) -> str:
    return reverse(name, args=[workspace.pk, *ids])


@pytest.fixture
def admin(as_bob: Browser, bob: User, workspace: Workspace) -> Browser:
    """Bob as an admin, who may connect providers."""
    give_role(bob, workspace, Role.ADMIN)
    return as_bob


@pytest.fixture
def row(workspace: Workspace) -> ProviderCredential:
    return ProviderCredentialFactory.create(workspace=workspace, plain=SECRET)


class Models(BaseHTTPRequestHandler):
    """Knows one key."""

    def do_GET(self) -> None:
        known = self.headers["Authorization"] == f"Bearer {SECRET}"
        self.send_response(200 if known else 401)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def server(settings: Settings) -> Iterator[str]:
    settings.ALLOW_PRIVATE_ADDRESSES = True
    with ThreadingHTTPServer(("127.0.0.1", 0), Models) as found:
        Thread(target=found.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield f"http://127.0.0.1:{found.server_address[1]}/v1"
        found.shutdown()


def test_the_sandbox_is_always_there(as_bob: Browser, workspace: Workspace) -> None:
    page = as_bob.get(at("providers", workspace)).content.decode()
    assert "/proxy/sandbox" in page
    assert "Needs no key" in page
    assert "No provider is connected" in page


def test_the_list_shows_the_end_of_a_key_and_no_more(as_bob: Browser, row: ProviderCredential) -> None:
    page = as_bob.get(at("providers", row.workspace)).content.decode()
    assert "…cdef" in page
    assert "CANARY" not in page
    assert "https://api.openai.com" in page


def test_a_provider_is_chosen_then_connected_then_tested(admin: Browser, workspace: Workspace) -> None:
    page = admin.get(at("provider_choose", workspace)).content.decode()
    url = at("provider_connect", workspace, "anthropic")
    assert url in page
    assert at("provider_connect", workspace, "own") in page
    assert 'value="Anthropic"' in admin.get(url).content.decode()
    response = admin.post(url, {"name": "Main", "secret": SECRET})
    made = ProviderCredential.objects.get()
    assert (made.slug, made.name, secret_of(made)) == ("anthropic", "Main", SECRET)
    assert response["Location"] == f"{at('providers', workspace)}?new={made.pk}"
    listed = admin.get(response["Location"]).content.decode()
    assert 'hx-trigger="submit, load"' in listed
    assert "Main is connected." in listed
    assert "CANARY" not in listed


def test_a_server_of_one_s_own_is_connected(admin: Browser, workspace: Workspace, server: str) -> None:
    answers = {"name": "Office GPU", "slug": "office-gpu", "base_url": server, "secret": ""}
    admin.post(at("provider_connect", workspace, "own"), answers)
    made = ProviderCredential.objects.get()
    assert (made.slug, made.name, made.base_url) == ("office-gpu", "Office GPU", server)


@pytest.mark.parametrize(
    ("slug", "answers", "error"),
    [
        ("openai", {"name": "Main", "secret": ""}, "This field is required."),
        ("openai", {"name": "", "secret": SECRET}, "This field is required."),
        ("openai", {"name": "Main", "secret": "sk with blanks CANARY"}, "not a provider&#x27;s key"),
        (
            "openai",
            {"name": "Main", "secret": SECRET, "base_url": "https://10.0.0.1"},
            "not an address on the internet",
        ),
        ("openai", {"name": "Main", "secret": SECRET, "base_url": "ftp://x.example.com"}, "must start with https"),
        ("own", {"name": "GPU", "slug": "sandbox", "base_url": "https://llm.example.com"}, "part of the product"),
        ("own", {"name": "GPU", "slug": "my gpu", "base_url": "https://llm.example.com"}, "small letters"),
        ("own", {"name": "GPU", "slug": "gpu", "base_url": ""}, "This field is required."),
    ],
)
def test_a_wrong_answer_connects_nothing_and_repeats_no_key(
    admin: Browser, workspace: Workspace, settings: Settings, slug: str, answers: dict[str, str], error: str
) -> None:
    settings.ALLOW_PRIVATE_ADDRESSES = False
    page = admin.post(at("provider_connect", workspace, slug), answers).content.decode()
    assert error in page
    assert "CANARY" not in page
    assert not ProviderCredential.objects.exists()


@pytest.mark.parametrize("slug", ["sandbox", "gemini", "nope"])
def test_what_cannot_be_connected_is_not_found(admin: Browser, workspace: Workspace, slug: str) -> None:
    assert admin.get(at("provider_connect", workspace, slug)).status_code == 404


def test_a_key_is_replaced_and_not_shown(admin: Browser, row: ProviderCredential) -> None:
    url = at("provider_edit", row.workspace, row.pk)
    page = admin.get(url).content.decode()
    assert "ends in cdef" in page
    assert "CANARY" not in page
    admin.post(url, {"name": "Main", "base_url": "", "secret": "sk-other-0123456789"})
    row.refresh_from_db()
    assert (row.name, secret_of(row)) == ("Main", "sk-other-0123456789")


def test_another_address_needs_the_key_again(admin: Browser, row: ProviderCredential) -> None:
    url = at("provider_edit", row.workspace, row.pk)
    page = admin.post(url, {"name": "Main", "base_url": "https://evil.example.com"}).content.decode()
    assert "Another address needs the key again" in page
    row.refresh_from_db()
    assert row.base_url == ""


def test_bedrock_is_connected_with_an_access_key(admin: Browser, workspace: Workspace) -> None:
    url = at("provider_connect", workspace, "bedrock")
    page = admin.get(url).content.decode()
    assert 'value="us-east-1"' in page
    answers = {
        "name": "Bedrock",
        "region": "eu-central-1",
        "access_key_id": "AKIAIOSFODNN7EXAMPLE",
        "secret_access_key": "CANARY",
    }
    assert "give both" in admin.post(url, answers | {"secret_access_key": ""}).content.decode()
    assert "no region" in admin.post(url, answers | {"region": "mars"}).content.decode()
    admin.post(url, answers)
    made = ProviderCredential.objects.get()
    assert json.loads(secret_of(made))["aws_secret_access_key"] == "CANARY"
    edit = at("provider_edit", workspace, made.pk)
    page = admin.get(edit).content.decode()
    assert 'value="eu-central-1"' in page
    assert "CANARY" not in page
    admin.post(edit, {"name": "Frankfurt", "region": "eu-central-1"})
    assert "needs the key again" in admin.post(edit, {"name": "Ohio", "region": "us-east-2"}).content.decode()
    made.refresh_from_db()
    assert (made.name, json.loads(secret_of(made))["region"]) == ("Frankfurt", "eu-central-1")
    assert "…MPLE" in admin.get(at("providers", workspace)).content.decode()


def test_azure_is_connected_with_its_resource(admin: Browser, workspace: Workspace) -> None:
    url = at("provider_connect", workspace, "azure")
    page = admin.get(url).content.decode()
    assert page.index("Resource URL") < page.index('name="secret"') < page.index('name="name"')
    assert "https://my-resource.openai.azure.com" in page
    assert "This field is required." in admin.post(url, {"name": "Azure", "secret": SECRET}).content.decode()
    admin.post(url, {"name": "Azure", "secret": SECRET, "base_url": "https://res.openai.azure.com/openai/v1/"})
    made = ProviderCredential.objects.get()
    assert (made.slug, made.base_url) == ("azure", "https://res.openai.azure.com")
    edit = at("provider_edit", workspace, made.pk)
    assert "Resource URL" in admin.get(edit).content.decode()
    assert "This field is required." in admin.post(edit, {"name": "Azure", "base_url": ""}).content.decode()


def test_every_provider_has_a_form(admin: Browser, workspace: Workspace) -> None:
    page = admin.get(at("provider_choose", workspace)).content.decode()
    for provider in connectable():
        url = at("provider_connect", workspace, provider.slug)
        assert url in page
        assert f"Connect {provider.label}" in admin.get(url).content.decode()


def test_vertex_is_connected_with_a_key_file(admin: Browser, workspace: Workspace) -> None:
    url = at("provider_connect", workspace, "vertex")
    wrong = key_file(type="authorized_user", client_id="CANARY")
    page = admin.post(url, {"name": "Vertex", "key_file": json.dumps(wrong)}).content.decode()
    assert "service_account" in page
    assert "CANARY" not in page
    answers = {"name": "Vertex", "key_file": json.dumps(key_file()), "location": "eu"}
    admin.post(url, answers)
    made = ProviderCredential.objects.get()
    assert json.loads(secret_of(made))["location"] == "eu"
    page = admin.get(at("provider_edit", workspace, made.pk)).content.decode()
    assert 'value="acme-123"' in page
    assert "PRIVATE KEY" not in page


def test_a_stored_account_that_cannot_be_read_is_asked_for_again(admin: Browser, workspace: Workspace) -> None:
    row = ProviderCredentialFactory.create(workspace=workspace, slug="bedrock", plain="two words")
    url = at("provider_edit", workspace, row.pk)
    assert admin.get(url).status_code == 200
    page = admin.post(url, {"name": "Main", "region": "us-east-1"}).content.decode()
    assert "Give an API key of Bedrock" in page


def test_a_test_shows_in_the_row(admin: Browser, row: ProviderCredential, server: str) -> None:
    ProviderCredential.objects.update(base_url=server)
    response = admin.post(at("provider_test", row.workspace, row.pk), headers={"HX-Request": "true"})
    page = response.content.decode()
    assert "Works" in page
    assert re.search(r"answered in \d+", page)
    assert "<html" not in page


def test_a_test_without_a_script_shows_above_the_list(admin: Browser, workspace: Workspace, server: str) -> None:
    row = ProviderCredentialFactory.create(workspace=workspace, base_url=server, plain="sk-wrong-0123456789")
    response = admin.post(at("provider_test", workspace, row.pk), follow=True)
    page = response.content.decode()
    assert "OpenAI: The provider rejects this key (HTTP 401)." in page
    assert 'class="alert bad"' in page


def test_the_default_moves(admin: Browser, row: ProviderCredential) -> None:
    other = ProviderCredentialFactory.create(workspace=row.workspace, is_default=False, name="Other")
    assert "pinned keys only" in admin.get(at("providers", row.workspace)).content.decode()
    admin.post(at("provider_default", row.workspace, other.pk))
    row.refresh_from_db()
    other.refresh_from_db()
    assert (row.is_default, other.is_default) == (False, True)


def test_archiving_asks_first_and_can_be_undone(admin: Browser, row: ProviderCredential) -> None:
    url = at("provider_archive", row.workspace, row.pk)
    assert "refused from then on" in admin.get(url).content.decode()
    row.refresh_from_db()
    assert row.archived_at is None
    assert "Restore" in admin.post(url, follow=True).content.decode()
    assert admin.post(at("provider_test", row.workspace, row.pk)).status_code == 404
    admin.post(at("provider_restore", row.workspace, row.pk))
    row.refresh_from_db()
    assert (row.archived_at, row.is_default) == (None, True)


def test_an_account_that_keys_are_pinned_to_says_so(admin: Browser, row: ProviderCredential) -> None:
    ApiKeyFactory.create(workspace=row.workspace, credential=row)
    page = admin.post(at("provider_archive", row.workspace, row.pk)).content.decode()
    assert "1 key is pinned to this account" in page
    row.refresh_from_db()
    assert row.archived_at is None


@pytest.mark.parametrize("accounts", [1, 3])
def test_the_list_takes_the_same_queries_for_any_number(
    as_bob: Browser, workspace: Workspace, accounts: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(accounts):
        ProviderCredentialFactory.create(workspace=workspace, slug=f"server-{number}", base_url="https://a.example.com")
        ProviderCredentialFactory.create(workspace=workspace, slug=f"old-{number}", archived_at=timezone.now())
    with django_assert_num_queries(6):
        assert as_bob.get(at("providers", workspace)).content.count(b"<tr>") == 2 + 2 * accounts


@pytest.mark.parametrize("role", [Role.VIEWER, Role.MEMBER])
def test_members_look_and_change_nothing(as_bob: Browser, bob: User, row: ProviderCredential, role: Role) -> None:
    give_role(bob, row.workspace, role)
    page = as_bob.get(at("providers", row.workspace)).content.decode()
    assert "Connect a provider" not in page
    assert "Test connection" not in page
    assert as_bob.get(at("provider_choose", row.workspace)).status_code == 403
    assert as_bob.post(at("provider_connect", row.workspace, "openai"), {"secret": SECRET}).status_code == 403
    for name in ACTIONS:
        assert as_bob.post(at(name, row.workspace, row.pk)).status_code == 403
    assert ProviderCredential.objects.count() == 1


def test_a_stranger_finds_nothing(as_charlie: Browser, charlie: User, row: ProviderCredential) -> None:
    own = Membership.objects.get(user=charlie).workspace
    assert as_charlie.get(at("providers", row.workspace)).status_code == 404
    assert as_charlie.post(at("provider_connect", row.workspace, "openai"), {"secret": SECRET}).status_code == 404
    for name in ACTIONS:
        for place in (at(name, row.workspace, row.pk), at(name, own, row.pk), at(name, own, new_id())):
            assert as_charlie.post(place, {"name": "evil", "secret": "sk-evil-0123456789"}).status_code == 404
    assert b"cdef" not in as_charlie.get(at("providers", own)).content
    row.refresh_from_db()
    assert (row.name, secret_of(row), row.archived_at) == ("OpenAI", SECRET, None)


@pytest.mark.parametrize("name", ["provider_test", "provider_default", "provider_restore"])
def test_changes_are_made_by_a_form_only(admin: Browser, row: ProviderCredential, name: str) -> None:
    assert admin.get(at(name, row.workspace, row.pk)).status_code == 405
