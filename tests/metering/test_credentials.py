from __future__ import annotations

import json
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone
from pytest_django import Settings

from metering.credentials import (
    account_of,
    archive_credential,
    archived,
    change_credential,
    connect_provider,
    connectable,
    default_of,
    in_use,
    make_default,
    provider_of,
    restore_credential,
    secret_of,
)
from metering.models import ProviderCredential
from tests.factories import ApiKeyFactory, ProviderCredentialFactory
from tests.metering.service_account import key_file
from tokonomics.crypto import Undecryptable
from tokonomics.models import AuditEntry, User, Workspace

SECRET = "sk-CANARY-0123456789abcdef"


def connect(workspace: Workspace, alice: User, **fields: Any) -> ProviderCredential:
    return connect_provider(workspace=workspace, actor=alice, **{"slug": "openai", "secret": SECRET, **fields})


def refused(error: pytest.ExceptionInfo[ValidationError]) -> dict[str, list[str]]:
    return error.value.message_dict


def test_a_provider_is_connected(workspace: Workspace, alice: User) -> None:
    row = connect(workspace, alice, secret=f"  {SECRET}\n")
    row.refresh_from_db()
    assert (row.slug, row.name, row.base_url, row.last_four, row.is_default) == ("openai", "OpenAI", "", "cdef", True)
    assert secret_of(row) == SECRET
    assert SECRET.encode() not in bytes(row.secret)
    entry = AuditEntry.objects.get()
    assert (entry.verb, entry.details) == ("connected", {"slug": "openai", "base_url": ""})


def test_an_alias_names_the_provider_itself(workspace: Workspace, alice: User) -> None:
    row = connect(workspace, alice, slug="gemini")
    assert row.slug == "google"
    assert default_of(workspace, "gemini") == default_of(workspace, "google") == row


def test_a_server_of_one_s_own_needs_an_address_but_no_key(
    workspace: Workspace, alice: User, settings: Settings
) -> None:
    settings.ALLOW_PRIVATE_ADDRESSES = True
    row = connect(workspace, alice, slug="Office-GPU", secret="", base_url="HTTP://localhost:11434/v1/", name="Office")
    assert (row.slug, row.base_url, row.last_four) == ("office-gpu", "http://localhost:11434/v1", "")
    assert secret_of(row) == ""
    assert provider_of(row).dialect == "openai"


@pytest.mark.parametrize(
    ("fields", "field", "reason"),
    [
        ({"secret": ""}, "secret", "Paste"),
        ({"secret": "sk with blanks"}, "secret", "not a provider's key"),
        ({"secret": "sk-é"}, "secret", "not a provider's key"),
        ({"secret": "sk\r\nX-Evil: 1"}, "secret", "not a provider's key"),
        ({"secret": "x" * 4097}, "secret", "not a provider's key"),
        ({"name": "x" * 101}, "name", "at most 100"),
        ({"slug": "sandbox"}, "slug", "part of the product"),
        ({"slug": "usage"}, "slug", "part of the product"),
        ({"slug": "my server"}, "slug", "small letters"),
        ({"slug": "a/../b"}, "slug", "small letters"),
        ({"slug": "x" * 41}, "slug", "small letters"),
        ({"slug": "office-gpu"}, "base_url", "needs its address"),
        ({"slug": "azure"}, "base_url", "Azure OpenAI needs an address"),
        ({"slug": "azure", "base_url": "res.openai.azure.com"}, "base_url", "https"),
        ({"base_url": "http://llm.example.com"}, "base_url", "https"),
        ({"base_url": "https://169.254.169.254/"}, "base_url", "not an address on the internet"),
        ({"base_url": "https://user:pw@llm.example.com"}, "base_url", "user name"),
    ],
)
def test_a_wrong_answer_is_refused_by_its_field(
    workspace: Workspace, alice: User, settings: Settings, fields: dict[str, str], field: str, reason: str
) -> None:
    settings.ALLOW_PRIVATE_ADDRESSES = False
    with pytest.raises(ValidationError) as error:
        connect(workspace, alice, **fields)
    assert list(refused(error)) == [field]
    assert reason in refused(error)[field][0]
    assert not ProviderCredential.objects.exists()


def test_a_resource_at_azure_is_kept_without_what_calls_bring(workspace: Workspace, alice: User) -> None:
    pasted = "https://res.openai.azure.com/openai/deployments/gpt/chat/completions?api-version=2025-01-01-preview"
    row = connect(workspace, alice, slug="azure", base_url=pasted)
    assert row.base_url == "https://res.openai.azure.com"
    change_credential(credential=row, name="Azure", base_url=pasted, secret="", actor=alice)
    row.refresh_from_db()
    assert (row.name, row.base_url) == ("Azure", "https://res.openai.azure.com")


def test_the_first_account_of_a_provider_is_its_default(workspace: Workspace, alice: User) -> None:
    first, second = connect(workspace, alice), connect(workspace, alice, name="Acme's own")
    other = connect(workspace, alice, slug="anthropic")
    assert [first.is_default, second.is_default, other.is_default] == [True, False, True]
    assert list(in_use(workspace)) == [other, first, second]


def test_the_database_allows_one_default(workspace: Workspace) -> None:
    ProviderCredentialFactory.create(workspace=workspace)
    with pytest.raises(IntegrityError), transaction.atomic():
        ProviderCredentialFactory.create(workspace=workspace)


def test_make_default_moves_it(workspace: Workspace, alice: User) -> None:
    first, second = connect(workspace, alice), connect(workspace, alice)
    make_default(credential=second, actor=alice)
    first.refresh_from_db()
    assert not first.is_default
    assert default_of(workspace, "openai") == second


def test_a_secret_is_replaced(workspace: Workspace, alice: User) -> None:
    row = connect(workspace, alice)
    change_credential(credential=row, name="OpenAI", base_url="", secret="sk-other-0123456789", actor=alice)
    row.refresh_from_db()
    assert (secret_of(row), row.last_four) == ("sk-other-0123456789", "6789")
    entry = AuditEntry.objects.latest("id")
    assert (entry.verb, entry.details) == ("replaced the secret of", {})


def test_an_empty_secret_keeps_the_old_one(workspace: Workspace, alice: User) -> None:
    row = connect(workspace, alice)
    change_credential(credential=row, name="Main", base_url="", secret="", actor=alice)
    row.refresh_from_db()
    assert (row.name, secret_of(row)) == ("Main", SECRET)
    assert AuditEntry.objects.latest("id").details == {"name": {"before": "OpenAI", "after": "Main"}}


@pytest.mark.parametrize("secret", [SECRET, "short"])
def test_another_address_needs_the_secret_again(workspace: Workspace, alice: User, secret: str) -> None:
    row = connect(workspace, alice, secret=secret)
    evil = "https://evil.example.com/v1"
    with pytest.raises(ValidationError) as error:
        change_credential(credential=row, name="OpenAI", base_url=evil, secret="", actor=alice)
    assert list(refused(error)) == ["secret"]
    row.refresh_from_db()
    assert row.base_url == ""
    change_credential(credential=row, name="OpenAI", base_url=evil, secret="sk-mine-0123456789", actor=alice)
    row.refresh_from_db()
    assert (row.base_url, secret_of(row)) == (evil, "sk-mine-0123456789")


def test_an_account_that_keys_are_pinned_to_stays(workspace: Workspace, alice: User) -> None:
    row = connect(workspace, alice)
    key = ApiKeyFactory.create(workspace=workspace, credential=row)
    with pytest.raises(ValidationError, match="1 key is pinned"):
        archive_credential(credential=row, actor=alice)
    key.revoked_at = timezone.now()
    key.save()
    archive_credential(credential=row, actor=alice)
    assert list(in_use(workspace)) == []
    assert list(archived(workspace)) == [row]


def test_an_archived_account_comes_back_beside_the_new_default(workspace: Workspace, alice: User) -> None:
    first = connect(workspace, alice)
    archive_credential(credential=first, actor=alice)
    second = connect(workspace, alice)
    assert second.is_default
    restore_credential(credential=first, actor=alice)
    first.refresh_from_db()
    assert (first.archived_at, first.is_default) == (None, False)


def test_an_archived_account_comes_back_as_the_default_where_there_is_none(workspace: Workspace, alice: User) -> None:
    row = connect(workspace, alice)
    archive_credential(credential=row, actor=alice)
    with pytest.raises(ValidationError, match="restore it first"):
        make_default(credential=ProviderCredential.objects.get(), actor=alice)
    restore_credential(credential=row, actor=alice)
    assert default_of(workspace, "openai") == row


def test_a_secret_moved_to_another_row_does_not_open(workspace: Workspace) -> None:
    mine = ProviderCredentialFactory.create(workspace=workspace)
    theirs = ProviderCredentialFactory.create()
    mine.secret, theirs.secret = theirs.secret, mine.secret
    for row in (mine, theirs):
        with pytest.raises(Undecryptable):
            secret_of(row)


def test_every_provider_but_the_sandbox_can_be_connected() -> None:
    slugs = [provider.slug for provider in connectable()]
    assert {"openai", "anthropic", "google", "mistral", "groq"} < set(slugs)
    assert "sandbox" not in slugs
    labels = [provider.label.lower() for provider in connectable()]
    assert labels == sorted(labels)


# keys that are more than a word


def test_an_access_key_is_kept_as_its_provider_reads_it(workspace: Workspace, alice: User) -> None:
    secret = {"aws_access_key_id": "AKIAIOSFODNN7EXAMPLE", "aws_secret_access_key": "CANARY", "other": "left out"}
    row = connect(workspace, alice, slug="bedrock", secret=json.dumps(secret))
    assert json.loads(secret_of(row)) == {
        "region": "us-east-1",
        "aws_access_key_id": "AKIAIOSFODNN7EXAMPLE",
        "aws_secret_access_key": "CANARY",
    }
    assert b"CANARY" not in bytes(row.secret)
    assert row.last_four == "MPLE"


def test_a_key_file_is_kept_without_what_is_not_needed(workspace: Workspace, alice: User) -> None:
    row = connect(workspace, alice, slug="vertex", secret=json.dumps(key_file(), indent=2))
    assert "auth_uri" not in secret_of(row)
    account = account_of(row)
    assert account is not None
    assert account.grant is not None
    assert (account.grant.url, row.last_four) == ("https://oauth2.googleapis.com/token", "cdef")


@pytest.mark.parametrize(
    ("slug", "secret", "error"),
    [
        ("bedrock", '{"region": "mars", "api_key": "ABSK1"}', "no region"),
        ("bedrock", "", "Paste the provider's key."),
        ("vertex", json.dumps(key_file(private_key="no key")), "cannot be read"),
        ("vertex", json.dumps(key_file("https://10.0.0.1/token")), "not an address on the internet"),
        ("vertex", json.dumps(key_file(client_email="x" * 9000)), "longer than"),
    ],
)
def test_a_key_that_its_provider_cannot_read_is_refused(
    workspace: Workspace, alice: User, settings: Settings, slug: str, secret: str, error: str
) -> None:
    settings.ALLOW_PRIVATE_ADDRESSES = False
    with pytest.raises(ValidationError) as refusal:
        connect(workspace, alice, slug=slug, secret=secret)
    assert error in refused(refusal)["secret"][0]
    assert not ProviderCredential.objects.exists()


def test_another_key_of_the_same_kind_takes_its_place(workspace: Workspace, alice: User) -> None:
    row = connect(workspace, alice, slug="bedrock", secret="ABSK-first-0123")
    change_credential(credential=row, name=row.name, base_url="", secret="ABSK-other-4567", actor=alice)
    assert json.loads(secret_of(row)) == {"region": "us-east-1", "api_key": "ABSK-other-4567"}
    assert row.last_four == "4567"
