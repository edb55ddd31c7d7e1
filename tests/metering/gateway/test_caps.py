"""Calls under a hard cap, through a running gateway and a real ledger."""

from __future__ import annotations

import socket
import time
from typing import Any

import orjson
import pytest
from django.utils import timezone

from billing.money import usd_text
from metering.gateway.caps import CapRow, Caps
from metering.models import Budget, BudgetPeriod, Reservation
from metering.months import month_bounds
from tests import factories
from tests.metering.gateway.conftest import Running, Start, eventually
from tests.metering.gateway.test_calls import ASK, CHAT, WRONG, _message
from tests.metering.gateway.test_directory import parameters
from tests.upstreams.provider import Provider, completion
from tokonomics.models import Workspace

CENT = 10_000_000
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def budget() -> Budget:
    """A cap of a cent on a workspace."""
    return Budget.objects.create(workspace=factories.WorkspaceFactory.create(), limit=CENT, hard=True)


@pytest.fixture
def gateway(start: Start, provider: Provider, budget: Budget) -> Running:
    return capped(start, provider, budget)


def capped(
    start: Start, provider: Provider, budget: Budget, slugs: tuple[str, ...] = ("openai",), **changes: Any
) -> Running:
    row = CapRow(str(budget.workspace_id), str(budget.pk), None, None, "UTC", 1, None, None)
    facts = {"caps": Caps([row]), "workspace": str(budget.workspace_id), "database": parameters()}
    return start(dict.fromkeys(slugs, provider.url), **(facts | changes))


def spend(budget: Budget, settled: int, reserved: int = 0) -> None:
    """Have so much of this month's budget used."""
    zone = Workspace.objects.get(pk=budget.workspace_id)
    starts, ends = month_bounds(timezone.now(), timezone.get_default_timezone())
    BudgetPeriod.objects.create(
        budget_id=budget.pk, workspace_id=zone.pk, starts_at=starts, ends_at=ends, settled=settled, reserved=reserved
    )


def test_admitted_call_reserves_and_says_what_is_left(gateway: Running, provider: Provider, budget: Budget) -> None:
    answer = gateway.call(CHAT, ASK)
    assert (answer.status, answer.read()) == (200, completion().body)
    held = Reservation.objects.get()
    assert str(held.pk) == answer.headers["x-metering-event-id"]
    assert answer.headers["x-budget-limit-usd"] == "0.01"
    assert answer.headers["x-budget-remaining-usd"] == usd_text(CENT - held.amount)
    assert answer.headers["x-budget-reset"].endswith("-01T00:00:00Z")
    assert BudgetPeriod.objects.get().reserved == held.amount
    [result] = gateway.records("result")
    assert 0 < result["cost"] <= held.amount
    assert held.intent["id"] == result["id"]


def test_output_is_limited_so_that_the_bound_is_real(gateway: Running, provider: Provider, budget: Budget) -> None:
    Budget.objects.update(limit=1000 * CENT)
    gateway.call(CHAT, ASK)
    gateway.call(CHAT, orjson.dumps(orjson.loads(ASK) | {"max_completion_tokens": 50}))
    first, second = (received.json() for received in provider.received)
    assert 0 < first.pop("max_completion_tokens") <= 16_384
    assert first == orjson.loads(ASK)
    assert second == orjson.loads(ASK) | {"max_completion_tokens": 50}


def test_used_up_cap_is_final(gateway: Running, provider: Provider, budget: Budget) -> None:
    spend(budget, CENT)
    answer = gateway.call(CHAT, ASK)
    error = orjson.loads(answer.read())["error"]
    assert (answer.status, answer.headers["x-metering-error"]) == (429, "budget_exhausted")
    assert (answer.headers["x-should-retry"], answer.headers["retry-after"]) == ("false", None)
    assert (answer.headers["x-budget-limit-usd"], answer.headers["x-budget-remaining-usd"]) == ("0.01", "0")
    assert (error["type"], error["code"]) == ("insufficient_quota", "insufficient_quota")
    assert "$0.01 of $0.01 spent" in error["message"]
    assert provider.received == []
    assert gateway.records("intent") == []


def test_call_that_cannot_fit_and_call_that_must_wait(gateway: Running, provider: Provider, budget: Budget) -> None:
    spend(budget, CENT - 1)
    assert gateway.call(CHAT, ASK).headers["x-metering-error"] == "request_exceeds_budget"
    BudgetPeriod.objects.update(settled=0, reserved=CENT - 1)
    answer = gateway.call(CHAT, ASK)
    assert (answer.headers["x-metering-error"], answer.headers["retry-after"]) == ("budget_reserved", "1")
    assert answer.headers["x-should-retry"] is None
    assert provider.received == []


def test_workspace_may_choose_402(start: Start, provider: Provider, budget: Budget) -> None:
    spend(budget, CENT)
    gateway = capped(start, provider, budget)
    [key] = gateway.gateway.directory.keys.values()
    key.workspace.budget_status = 402
    answer = gateway.call(CHAT, ASK)
    assert (answer.status, answer.headers["x-metering-error"]) == (402, "budget_exhausted")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/proxy/openai/responses", {"model": "gpt-4.1-mini", "input": "x", "background": True}),
        ("/proxy/openai/audio/speech", {"model": "gpt-4o-mini-tts", "input": "x", "voice": "alloy"}),
    ],
)
def test_what_its_answer_will_not_tell_cannot_be_capped(
    gateway: Running, provider: Provider, path: str, body: dict[str, Any]
) -> None:
    answer = gateway.call(path, orjson.dumps(body))
    assert (answer.status, answer.headers["x-metering-error"]) == (400, "model_not_priced")
    assert b"hard cap" in answer.read()
    assert provider.received == []


def test_unknown_price_cannot_be_capped(gateway: Running, provider: Provider) -> None:
    answer = gateway.call(CHAT, orjson.dumps({"model": "house-model-7", "messages": []}))
    assert (answer.status, answer.headers["x-metering-error"]) == (400, "model_not_priced")
    assert provider.received == []


def test_without_the_ledger_capped_calls_stop(start: Start, provider: Provider, budget: Budget) -> None:
    gateway = capped(start, provider, budget, database={"host": "127.0.0.1", "port": 1})
    for _ in range(2):
        answer = gateway.call(CHAT, ASK)
        assert (answer.status, answer.headers["x-metering-error"]) == (503, "budget_unavailable")
    assert provider.received == []


def test_wrong_calls_reserve_nothing(gateway: Running, budget: Budget) -> None:
    for _, request, *_ in WRONG[:14]:
        gateway.call(**({"path": CHAT, "body": ASK} | request))
    assert not Reservation.objects.exists()


def test_client_that_leaves_before_it_is_let_in_gives_back(
    gateway: Running, provider: Provider, budget: Budget
) -> None:
    provider.answer = lambda received: completion()
    gateway.call(CHAT, ASK).read()
    gateway.run(lambda: time.sleep(0.3))  # the loop is busy: the client is gone before its call is looked at
    with socket.create_connection(("127.0.0.1", gateway.port)) as client:
        client.sendall(_message(ASK))
    eventually(lambda: len(gateway.records("result")) + Reservation.objects.count() >= 2)
    results = len(gateway.records("result"))
    eventually(lambda: Reservation.objects.count() == results)
