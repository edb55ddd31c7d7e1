from __future__ import annotations

import pytest
from django.utils import timezone

from metering.ledger import DailyRefusals
from metering.models import Budget, BudgetPeriod
from tests.factories import ApiKeyFactory, ApiTokenFactory, BudgetFactory, ClientFactory
from tests.ledger import NOON, event, record
from tests.metering.api.conftest import Get
from tokonomics.models import Workspace

PERIOD = {
    "first_day": "2026-06-01",
    "last_day": "2026-06-23",
    "start": "2026-05-31T22:00:00Z",
    "end": "2026-06-23T22:00:00Z",
    "timezone": "Europe/Vienna",
}


def sums(calls: int, cost: str, unpriced: int = 0) -> dict[str, object]:
    return {
        "calls": calls,
        "provider_errors": 0,
        "unpriced": unpriced,
        "estimated": 0,
        "input_tokens": calls * 1000,
        "cache_read_tokens": 0,
        "cache_write_tokens": 0,
        "output_tokens": calls * 200,
        "reasoning_tokens": 0,
        "tokens": calls * 1200,
        "cost_usd": cost,
    }


def test_usage_by_client(get: Get, workspace: Workspace, stranger: Workspace) -> None:
    record(event(stranger), event(workspace, cost=10**9 + 1), event(workspace, client="", cost=None))
    assert get("usage", {"group_by": "client"}).json() == {
        "period": PERIOD,
        "group_by": "client",
        "total": sums(2, "1.000000001", unpriced=1),
        "data": [
            {"client": "acme-corp", **sums(1, "1.000000001")},
            {"client": None, **sums(1, "0", unpriced=1)},
        ],
        "more": False,
    }


@pytest.mark.parametrize(
    ("group", "name", "value"),
    [
        ("provider", "provider", "openai"),
        ("model", "model", "gpt-4.1-mini"),
        ("key", "key", "01990000-0000-7000-8000-000000000001"),
        ("day", "day", "2026-06-23"),
        ("tag.client", "value", "acme-corp"),
    ],
)
def test_usage_by_other_groups(get: Get, workspace: Workspace, group: str, name: str, value: str) -> None:
    record(event(workspace))
    assert [row[name] for row in get("usage", {"group_by": group}).json()["data"]] == [value]


@pytest.mark.parametrize("query", [{}, {"group_by": "colour"}, {"group_by": "tag.a", "client": "x"}])
def test_usage_refuses(get: Get, query: dict[str, str]) -> None:
    response = get("usage", query)
    assert (response.status_code, list(response.json()["error"]["fields"])) == (400, ["group_by"])


def test_usage_needs_its_scope(get: Get, workspace: Workspace) -> None:
    ApiTokenFactory.create(workspace=workspace, token="tk_narrow", scopes=["events:read"])
    response = get("usage", {"group_by": "client"}, bearer="tk_narrow")
    assert (response.status_code, response.json()["error"]["code"]) == (403, "permission_denied")


def test_a_key_reads_its_own_month(get: Get, workspace: Workspace) -> None:
    acme = ClientFactory.create(workspace=workspace, slug="acme-corp")
    key = ApiKeyFactory.create(workspace=workspace, key="mk_mine", name="bot", last_four="4f2a", client=acme)
    record(
        event(workspace, cost=1),
        event(workspace, key_id=key.id, cost=20, admitted_at=NOON.replace(day=2)),
        event(workspace, key_id=key.id, cost=300, model="gpt-4.1"),
        event(workspace, key_id=key.id, cost=4000, admitted_at=NOON.replace(month=5)),
    )
    assert get("me/usage", bearer="mk_mine").json() == {
        "key": {"id": str(key.id), "name": "bot", "last_four": "4f2a", "client": "acme-corp"},
        "period": PERIOD | {"last_day": "2026-06-30", "end": "2026-06-30T22:00:00Z"},
        "budget": None,
        **sums(2, "0.00000032"),
        "refused": {},
        "by_model": [
            {"provider": "openai", "model": "gpt-4.1", **sums(1, "0.0000003")},
            {"provider": "openai", "model": "gpt-4.1-mini", **sums(1, "0.00000002")},
        ],
        "by_day": [
            {"day": "2026-06-02", **sums(1, "0.00000002")},
            {"day": "2026-06-23", **sums(1, "0.0000003")},
        ],
    }


def test_a_key_reads_what_was_refused_to_it(get: Get, workspace: Workspace) -> None:
    key, other = (ApiKeyFactory.create(workspace=workspace, key=text) for text in ("mk_mine", "mk_other"))
    month = NOON.date()
    for row, day, client, code, calls in [
        (key, month, "acme-corp", "invalid_tags", 2),
        (key, month.replace(day=1), "globex", "invalid_tags", 3),
        (key, month, "acme-corp", "budget_exhausted", 7),
        (key, month.replace(month=5), "acme-corp", "invalid_tags", 100),
        (other, month, "acme-corp", "invalid_tags", 1000),
    ]:
        DailyRefusals.objects.create(
            workspace_id=workspace.pk, day=day, client=client, key_id=row.pk, code=code, calls=calls
        )
    assert get("me/usage", bearer="mk_mine").json()["refused"] == {"budget_exhausted": 7, "invalid_tags": 5}


def test_a_free_key_that_has_not_called(get: Get, workspace: Workspace) -> None:
    ApiKeyFactory.create(workspace=workspace, key="mk_mine")
    answer = get("me/usage", bearer="mk_mine").json()
    assert (answer["key"]["client"], answer["calls"], answer["cost_usd"], answer["by_day"]) == (None, 0, "0", [])


def test_a_key_s_own_budget(get: Get, workspace: Workspace) -> None:
    key = ApiKeyFactory.create(workspace=workspace, key="mk_mine")
    BudgetFactory.create(workspace=workspace, key=key, limit=10 * 10**9)
    BudgetFactory.create(workspace=workspace, limit=1)
    record(event(workspace, key_id=key.id, cost=2_500_000_000))
    get("me/usage", bearer="mk_mine")
    BudgetPeriod.objects.filter(settled=2_500_000_000).update(reserved=250_000_000)
    assert get("me/usage", bearer="mk_mine").json()["budget"] == {
        "of": "key",
        "kind": "cap",
        "state": "ok",
        "limit_usd": "10",
        "settled_usd": "2.5",
        "reserved_usd": "0.25",
        "left_usd": "7.25",
        "resets": "2026-06-30T22:00:00Z",
    }


def test_the_tightest_budget_above_a_key(get: Get, workspace: Workspace, stranger: Workspace) -> None:
    acme, other = ClientFactory.create(workspace=workspace), ClientFactory.create(workspace=workspace)
    ApiKeyFactory.create(workspace=workspace, key="mk_bound", client=acme)
    ApiKeyFactory.create(workspace=workspace, key="mk_free")
    BudgetFactory.create(workspace=workspace, limit=5 * 10**9)
    BudgetFactory.create(workspace=workspace, client=acme, limit=3 * 10**9, hard=False)
    for target in ({"client": other}, {"key": ApiKeyFactory.create(workspace=workspace)}):
        BudgetFactory.create(workspace=workspace, limit=1, **target)
    BudgetFactory.create(workspace=stranger, limit=1)
    bound, free = (get("me/usage", bearer=key).json()["budget"] for key in ("mk_bound", "mk_free"))
    assert (bound["of"], bound["kind"], bound["limit_usd"]) == ("client", "budget", "3")
    assert (free["of"], free["kind"], free["limit_usd"]) == ("workspace", "cap", "5")
    Budget.objects.filter(client=acme).update(paused_at=timezone.now())
    assert get("me/usage", bearer="mk_bound").json()["budget"]["of"] == "workspace"


def test_a_key_that_may_not(get: Get, workspace: Workspace, stranger: Workspace) -> None:
    ApiKeyFactory.create(workspace=workspace, key="mk_gone", revoked_at=timezone.now())
    stranger.suspended_at = timezone.now()
    stranger.save()
    ApiKeyFactory.create(workspace=stranger, key="mk_suspended")
    bearers = ("", "mk_nobody", "tk_0123456789", "mk_gone", "mk_suspended")
    found = [get("me/usage", bearer=bearer) for bearer in bearers]
    assert [(response.status_code, response.json()["error"]["code"]) for response in found] == [
        (401, "not_authenticated"),
        (401, "invalid_api_key"),
        (401, "invalid_api_key"),
        (403, "key_disabled"),
        (403, "workspace_suspended"),
    ]


def test_a_key_gives_no_parameters(get: Get, workspace: Workspace) -> None:
    ApiKeyFactory.create(workspace=workspace, key="mk_mine")
    response = get("me/usage", {"client": "x"}, bearer="mk_mine")
    assert (response.status_code, list(response.json()["error"]["fields"])) == (400, ["client"])


def test_the_schema_lists_the_endpoints(get: Get) -> None:
    text = get("schema", bearer="").content.decode()
    for path in ("/api/v1/events:", "/api/v1/events.csv:", "/api/v1/usage:", "/api/v1/me/usage:"):
        assert path in text
