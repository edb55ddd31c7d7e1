from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
import time_machine
from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from metering.models import ApiKey, Client
from tests import ledger
from tests.factories import ApiKeyFactory, BudgetFactory, ClientFactory, ProviderCredentialFactory
from tests.metering.views.conftest import words
from tests.people import give_role
from tokonomics.crypto import digest
from tokonomics.ids import new_id
from tokonomics.models import Membership, Role, User, Workspace


def at(name: str, workspace: Workspace, *ids: object) -> str:
    return reverse(name, args=[workspace.pk, *ids])


@pytest.fixture
def member(as_bob: Browser, bob: User, workspace: Workspace) -> Browser:
    """Bob as a member, who may make keys."""
    give_role(bob, workspace, Role.MEMBER)
    return as_bob


def make(browser: Browser, workspace: Workspace, **fields: object) -> str:
    return browser.post(at("key_new", workspace), {"name": "chatbot", **fields}).content.decode()


def key_in(page: str) -> str:
    found = re.search(r"mk_[\w-]{43}", page)
    assert found
    return found[0]


def test_a_new_key_is_shown_once(member: Browser, workspace: Workspace) -> None:
    key = key_in(make(member, workspace))
    row = ApiKey.objects.get(digest=digest(key))
    assert (row.workspace, row.name, row.client) == (workspace, "chatbot", None)
    listed = member.get(at("keys", workspace)).content.decode()
    assert key not in listed
    assert f"mk_…{key[-4:]}" in listed
    for name in ("key", "key_edit", "key_revoke"):
        assert key not in member.get(at(name, workspace, row.pk)).content.decode()


def test_a_new_key_comes_with_a_call_to_copy(member: Browser, workspace: Workspace, settings: Settings) -> None:
    settings.PUBLIC_URL = "https://meter.example.com"
    page = make(member, workspace)
    assert page.count(key_in(page)) == 3
    assert "curl https://meter.example.com/proxy/sandbox/chat/completions" in page
    assert "base_url=&quot;https://meter.example.com/proxy/sandbox&quot;" in page
    assert "acme-corp" in page


def test_the_call_uses_what_is_connected(member: Browser, workspace: Workspace) -> None:
    ProviderCredentialFactory.create(workspace=workspace, slug="anthropic")
    pinned = ProviderCredentialFactory.create(workspace=workspace, slug="google")
    assert "/proxy/anthropic/v1/messages" in make(member, workspace)
    assert "/proxy/google/v1beta/models" in make(member, workspace, credential=pinned.pk)


def test_a_key_is_bound_to_a_client(member: Browser, workspace: Workspace) -> None:
    client = ClientFactory.create(workspace=workspace, name="Acme")
    page = make(member, workspace, client=client.pk)
    assert ApiKey.objects.get().client == client
    assert "All its calls are booked to Acme." in page
    assert "&quot;client&quot;" not in page


def test_a_client_is_made_with_its_key(member: Browser, workspace: Workspace) -> None:
    make(member, workspace, new_client="Acme Corp")
    client = Client.objects.get()
    assert (client.workspace, client.name, client.slug) == (workspace, "Acme Corp", "acme-corp")
    assert ApiKey.objects.get().client == client


def test_a_client_is_made_with_its_own_tag(member: Browser, workspace: Workspace) -> None:
    make(member, workspace, new_client="Acme Corp", new_client_tag="acme")
    assert Client.objects.get().slug == "acme"


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"name": ""}, "This field is required."),
        ({"name": "\u202e"}, "at most 100"),
        ({"name": "x" * 101}, "at most 100"),
        ({"client": str(new_id())}, "Select a valid choice."),
        ({"client": "nonsense"}, "is not a valid UUID"),
        ({"credential": str(new_id())}, "Select a valid choice."),
        ({"new_client": "株式会社"}, "such as acme-corp"),
        ({"new_client_tag": "acme"}, "A new client needs a name."),
        ({"new_client": "Known", "new_client_tag": "known"}, "has the tag known already"),
    ],
)
def test_a_wrong_answer_makes_nothing(member: Browser, workspace: Workspace, wrong: dict[str, str], error: str) -> None:
    ClientFactory.create(workspace=workspace, slug="known")
    assert error in make(member, workspace, **wrong)
    assert not ApiKey.objects.exists()
    assert Client.objects.count() == 1


def test_what_was_typed_stays(member: Browser, workspace: Workspace) -> None:
    client = ClientFactory.create(workspace=workspace)
    page = make(member, workspace, client=client.pk, new_client="Acme")
    assert "Choose a client above or make a new one, not both." in page
    assert 'value="Acme"' in page
    assert Client.objects.count() == 1


def test_clients_and_accounts_of_others_cannot_be_chosen(member: Browser, workspace: Workspace) -> None:
    foreign, account = ClientFactory.create(name="Foreign"), ProviderCredentialFactory.create(name="Foreign")
    assert "Foreign" not in member.get(at("key_new", workspace)).content.decode()
    assert "Select a valid choice." in make(member, workspace, client=foreign.pk)
    assert "Select a valid choice." in make(member, workspace, credential=account.pk)
    assert not ApiKey.objects.exists()


def test_the_list_shows_client_account_use_and_spend(as_bob: Browser, workspace: Workspace) -> None:
    account = ProviderCredentialFactory.create(workspace=workspace, name="Acme's own")
    client = ClientFactory.create(workspace=workspace, name="Acme <Corp>")
    key = ApiKeyFactory.create(workspace=workspace, client=client, credential=account)
    moment = datetime(2026, 6, 23, 22, 30, tzinfo=UTC)
    ledger.record(
        ledger.event(workspace, key_id=key.pk, admitted_at=moment, cost=1_234_560_000_000),
        ledger.event(workspace, key_id=key.pk, admitted_at=moment, cost=None),
    )
    with time_machine.travel(datetime(2026, 6, 24, 12, tzinfo=UTC)):
        page = as_bob.get(at("keys", workspace)).content.decode()
    for text in ("Acme &lt;Corp&gt;", "Acme&#x27;s own", "24 June, 00:30:00", "$1,234.56", "+ 1 unpriced"):
        assert text in page


@pytest.mark.parametrize("keys", [1, 3])
def test_the_list_takes_the_same_queries_for_any_number(
    as_bob: Browser, workspace: Workspace, keys: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(keys):
        client = ClientFactory.create(workspace=workspace)
        ApiKeyFactory.create(workspace=workspace, client=client)
    with django_assert_num_queries(8):
        assert as_bob.get(at("keys", workspace)).content.count(b"<tr>") == keys + 1


def test_the_list_has_pages_of_fifty(as_bob: Browser, workspace: Workspace) -> None:
    for number in range(51):
        ApiKeyFactory.create(workspace=workspace, name=f"Key number {number}.")
    first = as_bob.get(at("keys", workspace)).content.decode()
    second = as_bob.get(at("keys", workspace), {"page": "2", "q": "number"}).content.decode()
    assert "1 – 50 of 51 keys" in first
    assert "Key number 50." in first
    assert "Key number 0." in second
    assert "q=number" in second
    for page in ("0", "-1", "9" * 30, "x"):
        assert as_bob.get(at("keys", workspace), {"page": page}).status_code == 200


def test_revoked_keys_are_listed_apart(as_bob: Browser, workspace: Workspace) -> None:
    ApiKeyFactory.create(workspace=workspace, name="living")
    ApiKeyFactory.create(workspace=workspace, name="gone", revoked_at=timezone.now())
    living = as_bob.get(at("keys", workspace)).content.decode()
    gone = as_bob.get(at("keys", workspace), {"state": "revoked"}).content.decode()
    assert ("living" in living, "gone" in living) == (True, False)
    assert ("living" in gone, "gone" in gone) == (False, True)


@pytest.mark.parametrize("text", ["nothing like it", "\x00", "' OR 1=1 --", "%", "<script>"])
def test_a_search_without_result_offers_the_way_back(as_bob: Browser, workspace: Workspace, text: str) -> None:
    ApiKeyFactory.create(workspace=workspace, name="living")
    page = as_bob.get(at("keys", workspace), {"q": text}).content.decode()
    assert "Show all keys" in page or text == "\x00"
    assert "<script>" not in re.sub(r"<script src=[^>]*>", "", page)


def test_a_key_is_made_with_limits(member: Browser, workspace: Workspace) -> None:
    ProviderCredentialFactory.create(workspace=workspace)
    page = member.get(at("key_new", workspace)).content.decode()
    assert [slug in page for slug in ('value="openai"', 'value="sandbox"', 'value="mistral"')] == [True, True, False]
    limits = {"requests_per_minute": "60", "allowed_models": "gpt-4.1*\r\n\r\no3", "allowed_providers": ["openai"]}
    make(member, workspace, **limits)
    row = ApiKey.objects.get()
    assert (row.requests_per_minute, row.tokens_per_minute) == (60, None)
    assert (row.allowed_models, row.allowed_providers) == (["gpt-4.1*", "o3"], ["openai"])


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"requests_per_minute": "0"}, "greater than or equal to 1"),
        ({"tokens_per_minute": "many"}, "Enter a whole number."),
        ({"tokens_per_minute": str(2**31)}, "less than or equal to 2147483647"),
        ({"allowed_models": "gpt-4.1\ngpt 4"}, "“gpt 4” is not a model’s name"),
        ({"allowed_providers": ["mistral"]}, "mistral is not one of the available choices"),
    ],
)
def test_wrong_limits_make_nothing(member: Browser, workspace: Workspace, wrong: dict[str, str], error: str) -> None:
    page = make(member, workspace, name="keeps what was typed", **wrong)
    assert error in page
    assert 'value="keeps what was typed"' in page
    assert not ApiKey.objects.exists()


def test_a_client_s_page_leads_to_a_key_of_its(member: Browser, workspace: Workspace) -> None:
    client = ClientFactory.create(workspace=workspace)
    page = member.get(at("key_new", workspace), {"client": str(client.pk)}).content.decode()
    assert f'<option value="{client.pk}" selected>' in page
    assert member.get(at("key_new", workspace), {"client": "nonsense"}).status_code == 200


def test_the_list_shows_how_far_budgets_are_used(as_bob: Browser, workspace: Workspace) -> None:
    key = ApiKeyFactory.create(workspace=workspace)
    BudgetFactory.create(workspace=workspace, key=key, limit=300 * 10**9)
    ledger.record(ledger.event(workspace, key_id=key.pk, cost=240_100_000_000))
    with time_machine.travel(ledger.NOON):
        page = words(as_bob.get(at("keys", workspace)))
    assert "80 % of $300.00 cap $240.10" in page


def test_an_empty_list_says_the_next_step(member: Browser, workspace: Workspace) -> None:
    assert "Make the first key" in member.get(at("keys", workspace)).content.decode()


def test_a_viewer_looks_and_changes_nothing(as_bob: Browser, workspace: Workspace) -> None:
    key = ApiKeyFactory.create(workspace=workspace)
    page = as_bob.get(at("keys", workspace)).content.decode()
    assert "New key" not in page
    assert "Revoke" not in re.sub("Revoked", "", page)
    for url in (at("key_new", workspace), at("key_edit", workspace, key.pk), at("key_revoke", workspace, key.pk)):
        assert as_bob.get(url).status_code == 403
        assert as_bob.post(url, {"name": "evil"}).status_code == 403
    key.refresh_from_db()
    assert (key.name == "evil", key.revoked_at) == (False, None)
    assert ApiKey.objects.count() == 1


def test_a_stranger_finds_nothing(as_charlie: Browser, charlie: User, workspace: Workspace) -> None:
    key = ApiKeyFactory.create(workspace=workspace, name="Ada's key")
    own = Membership.objects.get(user=charlie).workspace
    assert as_charlie.get(at("keys", workspace)).status_code == 404
    assert as_charlie.post(at("key_new", workspace), {"name": "evil"}).status_code == 404
    for name in ("key", "key_edit", "key_revoke"):
        for place in (at(name, workspace, key.pk), at(name, own, key.pk), at(name, own, new_id())):
            assert as_charlie.get(place).status_code == 404
            assert as_charlie.post(place, {"name": "evil"}).status_code in (404, 405)
    assert b"Ada&#x27;s key" not in as_charlie.get(at("keys", own)).content
    key.refresh_from_db()
    assert (key.name, key.revoked_at) == ("Ada's key", None)


def test_the_list_cannot_be_written_to(as_alice: Browser, workspace: Workspace) -> None:
    assert as_alice.post(at("keys", workspace)).status_code == 405
