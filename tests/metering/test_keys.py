from __future__ import annotations

from datetime import UTC, datetime

import pytest
import time_machine
from django.core.exceptions import ValidationError
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from metering.keys import Use, list_keys, mint_key, rename_key, revoke_key, uses
from metering.models import ApiKey
from tests import ledger
from tests.factories import ApiKeyFactory, ApiTokenFactory, ClientFactory, ProviderCredentialFactory, WorkspaceFactory
from tokonomics.crypto import digest
from tokonomics.models import AuditEntry, User, Workspace


def test_a_key_is_kept_as_its_digest_alone(workspace: Workspace, alice: User) -> None:
    client = ClientFactory.create(workspace=workspace)
    row, key = mint_key(workspace=workspace, name=" chat  bot ", client=client, actor=alice)
    row.refresh_from_db()
    assert key.startswith("mk_")
    assert (row.name, bytes(row.digest), row.last_four) == ("chat bot", digest(key), key[-4:])
    assert (row.client, row.created_by, row.revoked_at) == (client, alice, None)
    assert AuditEntry.objects.get().details == {"client": client.slug}


def test_a_token_mints_as_well(workspace: Workspace) -> None:
    token = ApiTokenFactory.create(workspace=workspace)
    row, _ = mint_key(workspace=workspace, name="bot", actor=token)
    assert row.created_by is None
    assert AuditEntry.objects.get().actor_name == str(token)


@pytest.mark.parametrize("name", ["", "  ", "x" * 101, "a\x00b", "\u202e"])
def test_a_key_needs_a_name(workspace: Workspace, alice: User, name: str) -> None:
    with pytest.raises(ValidationError, match="at most 100"):
        mint_key(workspace=workspace, name=name, actor=alice)
    assert not ApiKey.objects.exists()


def test_a_key_takes_nothing_of_another_workspace(workspace: Workspace, alice: User) -> None:
    with pytest.raises(ValidationError, match="cannot be used"):
        mint_key(workspace=workspace, name="bot", client=ClientFactory.create(), actor=alice)
    with pytest.raises(ValidationError, match="cannot be used"):
        mint_key(workspace=workspace, name="bot", credential=ProviderCredentialFactory.create(), actor=alice)


def test_a_key_takes_nothing_archived(workspace: Workspace, alice: User) -> None:
    client = ClientFactory.create(workspace=workspace, archived_at=timezone.now())
    with pytest.raises(ValidationError, match="cannot be used"):
        mint_key(workspace=workspace, name="bot", client=client, actor=alice)


def test_rename_key(workspace: Workspace, alice: User) -> None:
    key = ApiKeyFactory.create(workspace=workspace, name="bot")
    rename_key(key=key, name="robot", actor=alice)
    rename_key(key=key, name="robot", actor=alice)
    key.refresh_from_db()
    assert key.name == "robot"
    assert AuditEntry.objects.get().details == {"name": {"before": "bot", "after": "robot"}}


def test_revoke_key_once_and_for_all(workspace: Workspace, alice: User) -> None:
    key = ApiKeyFactory.create(workspace=workspace)
    revoke_key(key=key, actor=alice)
    key.refresh_from_db()
    first = key.revoked_at
    revoke_key(key=key, actor=alice)
    key.refresh_from_db()
    assert first is not None
    assert key.revoked_at == first
    assert AuditEntry.objects.filter(verb="revoked").count() == 1


def test_list_keys_is_newest_first_and_by_state(workspace: Workspace) -> None:
    old, new = ApiKeyFactory.create(workspace=workspace), ApiKeyFactory.create(workspace=workspace)
    gone = ApiKeyFactory.create(workspace=workspace, revoked_at=timezone.now())
    ApiKeyFactory.create()
    assert list(list_keys(workspace)) == [new, old]
    assert list(list_keys(workspace, revoked=True)) == [gone]


@pytest.mark.parametrize(
    ("text", "found"), [("BOT", True), ("acme", True), ("mk_…wxyz", True), ("wxyz", True), ("%", False)]
)
def test_list_keys_finds_by_name_client_and_ending(workspace: Workspace, text: str, found: bool) -> None:
    client = ClientFactory.create(workspace=workspace, name="Acme")
    key = ApiKeyFactory.create(workspace=workspace, name="chatbot", client=client, last_four="wxyz")
    ApiKeyFactory.create(workspace=workspace, name="other", last_four="abcd")
    assert list(list_keys(workspace, text=text)) == ([key] if found else [])


def test_uses_are_this_month_s_on_the_workspace_s_calendar(
    workspace: Workspace, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    busy, idle = ApiKeyFactory.create(workspace=workspace), ApiKeyFactory.create(workspace=workspace)
    workspace.timezone = "America/Toronto"
    stranger = WorkspaceFactory.create()
    june, may = datetime(2026, 6, 2, 12, tzinfo=UTC), datetime(2026, 5, 31, 12, tzinfo=UTC)
    ledger.record(
        ledger.event(workspace, key_id=busy.pk, admitted_at=june, cost=2_000_000_001),
        ledger.event(workspace, key_id=busy.pk, admitted_at=june, cost=None),
        ledger.event(workspace, key_id=busy.pk, admitted_at=may, cost=7),
        ledger.event(stranger, key_id=busy.pk, admitted_at=june, cost=1_000),
    )
    with time_machine.travel(datetime(2026, 7, 1, 3, tzinfo=UTC)), django_assert_num_queries(1):
        found = uses(workspace, [busy, idle])
    assert found[idle.pk] == Use()
    assert (found[busy.pk].cost, found[busy.pk].unpriced) == (2_000_000_001, 1)
    assert found[busy.pk].last_call_at is not None
    assert str(found[busy.pk].last_call_at) == "2026-06-02 08:00:00-04:00"


def test_uses_look_back_ninety_days_for_the_last_call(workspace: Workspace) -> None:
    key = ApiKeyFactory.create(workspace=workspace)
    ledger.record(ledger.event(workspace, key_id=key.pk, admitted_at=datetime(2026, 1, 2, 12, tzinfo=UTC), cost=5))
    with time_machine.travel(datetime(2026, 4, 2, 12, tzinfo=UTC)):
        assert uses(workspace, [key])[key.pk].last_call_at is not None
    with time_machine.travel(datetime(2026, 4, 3, 12, tzinfo=UTC)):
        assert uses(workspace, [key])[key.pk] == Use()
