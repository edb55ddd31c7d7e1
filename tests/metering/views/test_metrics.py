from __future__ import annotations

from pathlib import Path

import pytest
from django.db import connection
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families
from pytest_django import DjangoDbBlocker, Settings

from metering.models import DailyRefusals, Reservation
from tests.spooled import KEY, Process
from tests.tokonomics.test_health import unreachable
from tokonomics.ids import new_id
from tokonomics.models import Workspace

TOKEN = "a token of the operator's"


@pytest.fixture(autouse=True)
def _configured(settings: Settings, tmp_path: Path) -> None:
    settings.METRICS_TOKEN = TOKEN
    settings.SPOOL_DIR = tmp_path / "spool"
    settings.SPOOL_MAX_BYTES = 5_000_000


def figures(client: Client) -> dict[str, float]:
    """Each sample by its name, or by its label where it has one."""
    answer = client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    assert answer.status_code == 200
    families = text_string_to_metric_families(answer.content.decode())
    return {
        "".join(sample.labels.values()) or sample.name: sample.value for found in families for sample in found.samples
    }


@pytest.mark.django_db
def test_what_is_spooled_reserved_and_refused(client: Client, workspace: Workspace, settings: Settings) -> None:
    Process(settings.SPOOL_DIR).write(b"x" * 123)
    facts = {"workspace_id": workspace.pk, "process": new_id(), "budgets": [], "starts": [], "intent": {}}
    with connection.cursor() as cursor:
        cursor.execute("SELECT now(), (now() AT TIME ZONE 'UTC')::date")
        [(now, day)] = cursor.fetchall()
    Reservation.objects.create(id=new_id(), amount=70, created_at=now, **facts)
    for number, client_slug in ((2, "acme"), (3, "")):
        DailyRefusals.objects.create(
            workspace_id=workspace.pk, day=day, client=client_slug, key_id=KEY, code="budget_unavailable", calls=number
        )
    assert figures(client) == {
        "tokonomics_spool_bytes": 123,
        "tokonomics_spool_limit_bytes": 5_000_000,
        "tokonomics_ledger_up": 1,
        "tokonomics_reservations": 1,
        "tokonomics_reserved_nano_usd": 70,
        "budget_unavailable": 5,
    }


def test_without_the_ledger_the_spool_is_told(client: Client, django_db_blocker: DjangoDbBlocker) -> None:
    with django_db_blocker.unblock(), unreachable():
        assert figures(client) == {
            "tokonomics_spool_bytes": 0,
            "tokonomics_spool_limit_bytes": 5_000_000,
            "tokonomics_ledger_up": 0,
        }


@pytest.mark.django_db
@pytest.mark.parametrize("header", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": TOKEN}])
def test_others_find_nothing(client: Client, header: dict[str, str]) -> None:
    assert client.get("/metrics", headers=header).status_code == 404


@pytest.mark.django_db
def test_without_a_token_there_is_no_such_page(client: Client, settings: Settings) -> None:
    settings.METRICS_TOKEN = ""
    assert client.get("/metrics", headers={"Authorization": "Bearer "}).status_code == 404
