from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from metering import exports, selection
from metering.filters import EventFilter
from metering.periods import Period
from tests.factories import ApiTokenFactory
from tests.ledger import KEY, NOON, event, record
from tests.metering.api.conftest import TOKEN, Get
from tokonomics.models import Workspace


def test_a_call_with_all_that_is_known(get: Get, workspace: Workspace) -> None:
    (made,) = record(event(workspace, cost=33_579_600, provider_cost=33_000_000, tags={"client": "acme-corp"}))
    assert get("events").json() == {
        "data": [
            {
                "event_id": str(made.id),
                "timestamp": "2026-06-23T12:00:00Z",
                "client": "acme-corp",
                "provider": "openai",
                "model": "gpt-4.1-mini",
                "requested_model": "gpt-4.1-mini",
                "endpoint": "chat.completions",
                "stream": False,
                "test": False,
                "origin": "proxy",
                "status": "ok",
                "http_status": 200,
                "estimated": False,
                "flags": [],
                "input_tokens": 1000,
                "cache_read_tokens": 0,
                "cache_write_tokens": 0,
                "output_tokens": 200,
                "reasoning_tokens": 0,
                "total_tokens": 1200,
                "usage": {"input_tokens": 1000, "output_tokens": 200},
                "cost_usd": "0.0335796",
                "cost_source": "catalogue",
                "price_version": "genai-prices 0.2.3",
                "lines": [
                    {
                        "unit": "input_tokens",
                        "count": 1000,
                        "unit_price_usd": "0.0000004",
                        "amount_usd": "0.0004",
                    },
                    {
                        "unit": "output_tokens",
                        "count": 200,
                        "unit_price_usd": "0.0000016",
                        "amount_usd": "0.00032",
                    },
                ],
                "provider_cost_usd": "0.033",
                "price": None,
                "currency": "USD",
                "latency_ms": 690,
                "first_byte_ms": 240,
                "api_key": {"id": str(KEY), "name": "production"},
                "tags": {"client": "acme-corp"},
            }
        ],
        "next": None,
    }


def test_unknown_is_null(get: Get, workspace: Workspace) -> None:
    record(event(workspace, client="", cost=None))
    (call,) = get("events").json()["data"]
    assert (call["client"], call["cost_usd"]) == (None, None)


def test_pages_follow_their_cursors(get: Get, workspace: Workspace) -> None:
    made = record(*(event(workspace, admitted_at=NOON - timedelta(minutes=number)) for number in range(5)))
    seen: list[str] = []
    cursor: str | None = ""
    for _ in range(3):
        page = get("events", {"limit": 2, "cursor": cursor}).json()
        seen += [call["event_id"] for call in page["data"]]
        cursor = page["next"]
    assert seen == [str(item.id) for item in made]
    assert cursor is None


def test_filters_are_those_of_the_page(get: Get, workspace: Workspace, stranger: Workspace) -> None:
    record(event(stranger, tags={"env": "live"}), event(workspace, tags={"env": "dev"}))
    (wanted,) = record(event(workspace, tags={"env": "live"}))
    calls = get("events", {"tag.env": "live", "period": "7d"}).json()["data"]
    assert [call["event_id"] for call in calls] == [str(wanted.id)]


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ({"foo": "1"}, {"foo": "There is no such parameter."}),
        ({"status": "odd"}, {"status": "Choose one of ok, aborted, provider_error, not_dispatched."}),
        ({"limit": "0"}, {"limit": "Give a number from 1 to 200."}),
        ({"limit": "²"}, {"limit": "Give a number from 1 to 200."}),
        ({"limit": "9999999999"}, {"limit": "Give a number from 1 to 200."}),
        ({"cursor": "abc"}, {"cursor": "This is not a cursor that a page of this list gave out."}),
    ],
)
def test_what_makes_no_sense(get: Get, query: dict[str, str], fields: dict[str, str]) -> None:
    response = get("events", query)
    message = " ".join(f"{name}: {text}" for name, text in fields.items())
    error = {"code": "invalid_request", "message": message, "fields": fields}
    assert (response.status_code, response.json()) == (400, {"error": error})


def test_too_much_is_said(get: Get, workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object) -> None:
        raise selection.TooMuch

    monkeypatch.setattr(selection, "page", stop)
    response = get("events")
    assert (response.status_code, response.json()["error"]["code"]) == (422, "selection_too_large")


@pytest.mark.parametrize("calls", [1, 3])
def test_queries(get: Get, workspace: Workspace, calls: int, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    record(*(event(workspace) for _ in range(calls)))
    with django_assert_num_queries(7):  # the token, its use noted, and a page in a savepoint with a time limit
        get("events")


@pytest.mark.parametrize("path", ["events", "events.csv"])
def test_who_may_not(get: Get, workspace: Workspace, path: str) -> None:
    ApiTokenFactory.create(workspace=workspace, token="tk_narrow", scopes=["usage:read"])
    ApiTokenFactory.create(workspace=workspace, token="tk_gone", scopes=["events:read"], revoked_at=timezone.now())
    found = [get(path, bearer=bearer) for bearer in ("", "tk_nobody", "tk_gone", "tk_narrow")]
    assert [response.status_code for response in found] == [401, 401, 401, 403]
    assert found[3].json()["error"]["message"] == "The token lacks the scope events:read."


def test_csv_is_the_export_of_the_same_filter(get: Get, workspace: Workspace, stranger: Workspace) -> None:
    record(event(stranger), event(workspace, client="halcyon"), event(workspace, client="acme-corp", cost=1))
    response = get("events.csv", {"client": "acme-corp", "from": "2026-06-01", "to": "2026-06-23"})
    chosen = EventFilter(Period(NOON.date().replace(day=1), NOON.date()), client="acme-corp")
    assert response.getvalue() == b"".join(exports.events_csv(workspace.id, chosen))
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert response["Content-Disposition"] == 'attachment; filename="adas-agency-2026-06-01-2026-06-23.csv"'


def test_csv_whatever_the_caller_accepts(get: Get, workspace: Workspace) -> None:
    assert get("events.csv", {"period": "7d"}).getvalue().startswith(b"event_id,timestamp,client,")


def test_csv_refuses_what_it_does_not_know(get: Get) -> None:
    response = get("events.csv", {"cursor": "x"})
    assert (response.status_code, response.json()["error"]["fields"]) == (
        400,
        {"cursor": "There is no such parameter."},
    )


def test_an_address_that_is_none(get: Get) -> None:
    response = get("nothing")
    assert (response.status_code, response.json()["error"]["code"]) == (404, "not_found")


def test_other_methods_are_refused_in_json(get: Get) -> None:
    response = Client().post("/api/v1/events", headers={"Authorization": f"Bearer {TOKEN}"})
    assert (response.status_code, response.json()["error"]["code"]) == (405, "method_not_allowed")
