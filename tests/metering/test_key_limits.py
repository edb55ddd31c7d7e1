from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ValidationError

from metering.key_limits import UNLIMITED, Limits, clean_limits, limit_key, limits_of, usable_slugs
from metering.keys import mint_key
from metering.models import ApiKey
from tests.factories import ApiKeyFactory, ProviderCredentialFactory
from tokonomics.models import AuditEntry, User, Workspace

ALL = Limits(60, 100_000, ("gpt-4.1*", "claude-*"), ("openai", "sandbox"))


@pytest.fixture(autouse=True)
def openai(workspace: Workspace) -> None:
    ProviderCredentialFactory.create(workspace=workspace)
    ProviderCredentialFactory.create(slug="mistral")


def test_a_key_is_made_with_its_limits(workspace: Workspace, alice: User) -> None:
    row, _ = mint_key(workspace=workspace, name="bot", limits=ALL, actor=alice)
    assert limits_of(ApiKey.objects.get(pk=row.pk)) == ALL
    plain, _ = mint_key(workspace=workspace, name="bot", actor=alice)
    assert limits_of(ApiKey.objects.get(pk=plain.pk)) == UNLIMITED


def test_limits_are_set_anew(workspace: Workspace, alice: User) -> None:
    key = ApiKeyFactory.create(workspace=workspace, requests_per_minute=5)
    limit_key(key=key, limits=ALL, actor=alice)
    limit_key(key=key, limits=ALL, actor=alice)
    key.refresh_from_db()
    assert limits_of(key) == ALL
    entry = AuditEntry.objects.get()
    assert entry.verb == "limited"
    assert entry.details["requests_per_minute"] == {"before": 5, "after": 60}
    assert entry.details["allowed_models"] == {"before": "", "after": "gpt-4.1*, claude-*"}
    limit_key(key=key, limits=UNLIMITED, actor=alice)
    assert limits_of(ApiKey.objects.get()) == UNLIMITED


def test_entries_are_tidied(workspace: Workspace) -> None:
    messy = Limits(allowed_models=(" gpt-4.1 ", "", "gpt-4.1", "o3"), allowed_providers=("openai", "openai"))
    assert clean_limits(messy, workspace) == Limits(allowed_models=("gpt-4.1", "o3"), allowed_providers=("openai",))


@pytest.mark.parametrize(
    ("wrong", "field", "reason"),
    [
        ({"requests_per_minute": 0}, "requests_per_minute", "above zero"),
        ({"requests_per_minute": -1}, "requests_per_minute", "above zero"),
        ({"tokens_per_minute": 2**31}, "tokens_per_minute", "above zero"),
        ({"allowed_models": ("gpt 4",)}, "allowed_models", "“gpt 4” is not"),
        ({"allowed_models": ("gpt-4.1,o3",)}, "allowed_models", "one a line"),
        ({"allowed_models": ("gpt-[45]",)}, "allowed_models", "is not"),
        ({"allowed_models": ("gpt-?",)}, "allowed_models", "is not"),
        ({"allowed_models": ("x" * 257,)}, "allowed_models", "x…”"),
        ({"allowed_models": tuple(f"m{number}" for number in range(101))}, "allowed_models", "at most 100"),
        ({"allowed_providers": ("mistral",)}, "allowed_providers", "mistral is not connected"),
    ],
)
def test_limits_that_are_none(
    workspace: Workspace, alice: User, wrong: dict[str, Any], field: str, reason: str
) -> None:
    key = ApiKeyFactory.create(workspace=workspace)
    with pytest.raises(ValidationError) as caught:
        limit_key(key=key, limits=Limits(**wrong), actor=alice)
    assert list(caught.value.message_dict) == [field]
    assert reason in caught.value.message_dict[field][0]
    assert limits_of(ApiKey.objects.get()) == UNLIMITED


@pytest.mark.parametrize(
    "model",
    [
        "meta-llama/Llama-3.3-70B-Instruct-Turbo",
        "ft:gpt-4o:org::id",
        "accounts/fireworks/models/x",
        "@cf/m",
        "*",
        "anthropic.claude-v2:0",
    ],
)
def test_models_of_all_providers_can_be_named(workspace: Workspace, model: str) -> None:
    assert clean_limits(Limits(allowed_models=(model,)), workspace).allowed_models == (model,)


def test_a_provider_that_was_disconnected_may_stay(workspace: Workspace, alice: User) -> None:
    key = ApiKeyFactory.create(workspace=workspace, allowed_providers=["gone"])
    limit_key(key=key, limits=Limits(5, allowed_providers=("gone",)), actor=alice)
    assert ApiKey.objects.get().requests_per_minute == 5
    assert usable_slugs(workspace, "gone") == ["gone", "openai", "sandbox"]
