from __future__ import annotations

import json
from io import StringIO
from typing import Any
from uuid import UUID

import pytest
from allauth.account.models import EmailAddress
from django.core.management import CommandError, call_command
from django.test import Client as Browser
from pytest_django import Settings

from metering.credentials import secret_of
from metering.models import ApiKey, Budget, Client, ProviderCredential
from tests.factories import MembershipFactory, UserFactory, WorkspaceFactory
from tokonomics.crypto import digest
from tokonomics.models import ApiToken, User, Workspace
from tokonomics.tokens import SCOPES

pytestmark = pytest.mark.django_db


def quickstart(*arguments: str, password: str = "pw") -> dict[str, str]:
    out = StringIO()
    who = ("--email", "Ada@example.com", "--password", password, "--workspace", "Ada")
    call_command("quickstart", *who, *arguments, stdout=out, stderr=StringIO())
    made: dict[str, str] = json.loads(out.getvalue())
    return made


def openai(key: str = "sk-0123456789abcdef", *more: str) -> tuple[str, ...]:
    return ("--provider", "openai", "--provider-key", key, *more)


def test_it_prints_what_the_contract_says(settings: Settings) -> None:
    settings.PUBLIC_URL = "https://meter.example.com"
    made = quickstart(*openai(), "--client", "acme-corp")
    assert list(made) == ["api_key", "api_token", "workspace", "login_url", "proxy_url"]
    assert made["login_url"] == "https://meter.example.com/accounts/login/"
    assert made["proxy_url"] == "https://meter.example.com/proxy"
    workspace = Workspace.objects.get()
    assert (UUID(made["workspace"]), workspace.name) == (workspace.pk, "Ada")
    key = ApiKey.objects.select_related("client").get(digest=digest(made["api_key"]))
    assert key.client
    assert (key.client.slug, key.workspace) == ("acme-corp", workspace)
    assert ApiToken.objects.get(digest=digest(made["api_token"])).scopes == sorted(SCOPES)
    assert secret_of(ProviderCredential.objects.get()) == "sk-0123456789abcdef"


def test_without_a_client_the_key_is_free() -> None:
    assert ApiKey.objects.get(digest=digest(quickstart()["api_key"])).client is None


def test_a_second_run_makes_a_key_and_a_token_and_nothing_else() -> None:
    first, second = (quickstart(*openai(), "--client", "acme-corp") for _ in range(2))
    assert first["workspace"] == second["workspace"]
    assert first["api_key"] != second["api_key"]
    assert first["api_token"] != second["api_token"]
    counts = [model.objects.count() for model in (User, Workspace, ProviderCredential, Client, ApiKey, ApiToken)]
    assert counts == [1, 1, 1, 1, 2, 2]


def test_a_second_run_adds_a_provider() -> None:
    quickstart(*openai())
    quickstart("--provider", "gemini", "--provider-key", "AIza-0123456789")
    assert sorted(ProviderCredential.objects.values_list("slug", flat=True)) == ["google", "openai"]


def test_a_cap_is_the_fresh_key_s_alone() -> None:
    quickstart("--cap", "0.01")
    made = quickstart("--client", "acme-corp", "--cap", "$1,300.50")
    budget = Budget.objects.get(key__digest=digest(made["api_key"]))
    assert (budget.limit, budget.hard, budget.billing_day) == (1_300_500_000_000, True, 1)
    assert sorted(Budget.objects.values_list("limit", flat=True)) == [10_000_000, 1_300_500_000_000]


def test_a_second_run_replaces_key_and_address(settings: Settings) -> None:
    settings.ALLOW_PRIVATE_ADDRESSES = True
    quickstart(*openai("sk-old-0123456789", "--base-url", "http://127.0.0.1:9001"))
    quickstart(*openai("sk-new-0123456789", "--base-url", "http://127.0.0.1:9002"))
    row = ProviderCredential.objects.get()
    assert (secret_of(row), row.base_url) == ("sk-new-0123456789", "http://127.0.0.1:9002")
    quickstart("--provider", "openai")
    row.refresh_from_db()
    assert (secret_of(row), row.base_url) == ("sk-new-0123456789", "http://127.0.0.1:9002")


def test_the_user_can_log_in_where_addresses_are_verified(settings: Settings) -> None:
    settings.ACCOUNT_EMAIL_VERIFICATION = "mandatory"
    made = quickstart()
    response = Browser().post("/accounts/login/", {"login": "ada@example.com", "password": "pw"})
    assert response.status_code == 302
    assert response["Location"] == "/"
    assert EmailAddress.objects.get().verified
    assert made["workspace"]


def test_an_existing_user_keeps_their_password() -> None:
    quickstart()
    quickstart(password="other")
    assert User.objects.get().check_password("pw")


def test_somebody_else_s_workspace_of_the_same_name_stays_theirs() -> None:
    theirs = MembershipFactory.create(workspace=WorkspaceFactory.create(name="Ada")).workspace
    made = quickstart()
    assert UUID(made["workspace"]) != theirs.pk
    assert not theirs.api_keys.exists()


def test_a_client_that_a_call_brought_is_confirmed() -> None:
    workspace = Workspace.objects.get(pk=quickstart()["workspace"])
    Client.objects.create(workspace=workspace, slug="acme-corp", name="acme-corp")
    quickstart("--client", "acme-corp")
    assert Client.objects.get().confirmed_at is not None


def test_the_sandbox_needs_no_account() -> None:
    quickstart("--provider", "sandbox")
    assert not ProviderCredential.objects.exists()


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--cap", "much"], "--cap: Write an amount in US dollars"),
        (["--cap", "-1"], "Give a limit above zero"),
        (["--cap", "1000000001"], "at most a billion"),
        (["--provider-key", "sk-0123456789"], "Name the provider"),
        (["--provider", "openai"], "Paste the provider's key"),
        (["--provider", "nope", "--provider-key", "k"], "needs its address"),
        (["--provider", "openai", "--provider-key", "k", "--base-url", "http://127.0.0.1:1"], "PRIVATE_ADDRESSES=1"),
        (["--client", "x" * 257], "at most 256"),
    ],
)
def test_a_wrong_argument_makes_nothing(arguments: list[str], reason: str, settings: Settings) -> None:
    settings.ALLOW_PRIVATE_ADDRESSES = False
    with pytest.raises(CommandError, match=reason):
        quickstart(*arguments)
    assert not User.objects.exists()
    assert not Workspace.objects.exists()


def test_a_wrong_address_makes_nothing() -> None:
    with pytest.raises(CommandError, match="valid email"):
        call_command("quickstart", "--email", "ada", "--password", "pw", "--workspace", "Ada")
    assert not User.objects.exists()


def test_a_user_s_other_workspace_is_left_alone() -> None:
    user = UserFactory.create(email="ada@example.com")
    other: Any = MembershipFactory.create(user=user).workspace
    quickstart()
    assert not other.api_keys.exists()
