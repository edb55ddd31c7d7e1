from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from django.core.exceptions import ValidationError
from django.utils import timezone

from tests.factories import ApiTokenFactory
from tokonomics.crypto import digest
from tokonomics.models import ApiToken, AuditEntry, User, Workspace
from tokonomics.tokens import find_token, mint_token, revoke_token


def test_a_token_is_kept_as_its_digest_alone(alice: User, workspace: Workspace) -> None:
    row, token = mint_token(workspace=workspace, name=" report ", scopes=["events:read"], actor=alice)
    row.refresh_from_db()
    assert token.startswith("tk_")
    assert (row.name, bytes(row.digest), row.last_four, row.scopes) == (
        "report",
        digest(token),
        token[-4:],
        ["events:read"],
    )
    assert (AuditEntry.objects.get().verb, AuditEntry.objects.get().details) == ("made", {"scopes": ["events:read"]})


@pytest.mark.parametrize(
    ("name", "scopes"), [("", ["events:read"]), ("x" * 101, ["events:read"]), ("a", []), ("a", ["root"])]
)
def test_mint_token_refuses(alice: User, workspace: Workspace, name: str, scopes: list[str]) -> None:
    with pytest.raises(ValidationError):
        mint_token(workspace=workspace, name=name, scopes=scopes, actor=alice)
    assert not ApiToken.objects.exists()


@pytest.mark.django_db
def test_find_token_notes_the_use_once_a_minute() -> None:
    ApiTokenFactory.create(token="tk_known")
    start = timezone.now().replace(microsecond=0)
    for seconds in (0, 59, 61):
        with time_machine.travel(start + timedelta(seconds=seconds), tick=False):
            found = find_token("tk_known")
        assert found is not None
        found.refresh_from_db()
        assert found.last_used_at == start + timedelta(seconds=61 if seconds == 61 else 0)


@pytest.mark.django_db
@pytest.mark.parametrize("text", ["tk_other", "", "tk_known ", "TK_KNOWN", "' OR '1'='1"])
def test_find_token_finds_nothing_else(text: str) -> None:
    ApiTokenFactory.create(token="tk_known")
    assert find_token(text) is None


def test_a_revoked_token_is_not_found(alice: User, workspace: Workspace) -> None:
    row, token = mint_token(workspace=workspace, name="report", scopes=["events:read"], actor=alice)
    revoke_token(token=row, actor=alice)
    revoke_token(token=row, actor=alice)
    assert find_token(token) is None
    assert AuditEntry.objects.filter(verb="revoked").count() == 1
