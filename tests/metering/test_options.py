from __future__ import annotations

from datetime import date, timedelta

from django.utils import timezone

from metering.options import options
from metering.periods import preset
from tests.factories import ApiKeyFactory, ClientFactory
from tests.ledger import NOON, event, record
from tokonomics.models import Workspace


def test_what_the_workspace_has_used(workspace: Workspace, stranger: Workspace) -> None:
    ClientFactory.create(workspace=workspace, slug="acme-corp", name="Acme Corp")
    key = ApiKeyFactory.create(workspace=workspace, name="old", last_four="9c1e", revoked_at=timezone.now())
    record(
        event(workspace, tags={"project": "x"}),
        event(workspace, provider="google", model="gemini-2.5-flash", tags={"env": "live"}),
        event(workspace, model="too-long-ago", admitted_at=NOON - timedelta(days=20)),
        event(stranger, model="theirs", tags={"secret": "x"}),
    )
    assert options(workspace.id, preset("month", date(2026, 6, 23))) == {
        "client": [("acme-corp", "Acme Corp")],
        "provider": [("google", "google"), ("openai", "openai")],
        "model": [("gemini-2.5-flash", "gemini-2.5-flash"), ("gpt-4.1-mini", "gpt-4.1-mini")],
        "key": [(str(key.id), "old (mk_…9c1e), revoked")],
        "tag_key": [("env", "env"), ("project", "project")],
    }
