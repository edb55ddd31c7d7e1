from __future__ import annotations

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.test import Client as Browser
from pytest_django import Settings

from metering.demo import cast
from tests.spooled import rows
from tokonomics.models import Workspace


def demo(*arguments: str) -> dict[str, str]:
    out = StringIO()
    call_command("demo", *arguments, stdout=out, stderr=StringIO())
    told: dict[str, str] = json.loads(out.getvalue())
    return told


@pytest.mark.django_db(transaction=True)
def test_it_fills_a_workspace_once_and_says_how_to_see_it(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cast, "MONTHS", 1)
    settings.PUBLIC_URL = "https://meter.example.com"
    first = demo()
    assert first["login_url"] == "https://meter.example.com/accounts/login/"
    assert Workspace.objects.get(pk=first["workspace"]).name == cast.WORKSPACE
    assert Browser().login(username=first["email"], password=first["password"])
    count = rows("SELECT count(*) FROM usage_event")[0][0]
    assert int(first["calls"]) == count > 0
    second = demo()
    assert second == {name: first[name] for name in ("login_url", "email", "workspace")}
    assert rows("SELECT count(*) FROM usage_event")[0][0] == count


@pytest.mark.django_db
def test_a_wrong_address_is_told() -> None:
    with pytest.raises(CommandError, match="valid email"):
        demo("--email", "nobody")
