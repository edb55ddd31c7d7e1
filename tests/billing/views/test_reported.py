"""Costs as providers report them beside ours."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client as Browser
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from billing import reported
from billing.reported import Compared, compared
from metering.ledger import UsageEvent
from metering.periods import Period
from metering.selection import TooMuch
from tests import ledger
from tests.factories import WorkspaceFactory
from tests.metering.views.conftest import june, words
from tokonomics.models import Workspace

__all__ = ["june"]
pytestmark = pytest.mark.usefixtures("june")
DAY = Period(ledger.NOON.date(), ledger.NOON.date())
MILLION = [["input_tokens", 1_000_000, "0.000003", "3"], ["output_tokens", 1, "0.0000000005", "0.0000000005"]]


def told(workspace: Workspace, cost: int, **fields: Any) -> UsageEvent:
    values = {"provider": "openrouter", "model": "openai/gpt-5", "cost_source": "provider", "lines": MILLION}
    return ledger.event(workspace, **{**values, "cost": cost, "provider_cost": cost, **fields})


@pytest.fixture
def recorded(workspace: Workspace) -> Workspace:
    ledger.record(
        told(workspace, 3_100_000_000),
        told(workspace, 3_000_000_000),
        told(workspace, 5, model="grok-4", provider="xai", lines=[], price_version=""),
        told(workspace, 0, model="free-1", lines=[]),
        told(workspace, 9, admitted_at=ledger.NOON.replace(month=5)),
        told(WorkspaceFactory.create(), 7, model="strange-1"),
        ledger.event(workspace),
    )
    return workspace


def test_ours_is_summed_exactly_and_compared_where_it_is_known(recorded: Workspace) -> None:
    assert list(compared(recorded.id, DAY)) == [
        Compared("openrouter", "openai/gpt-5", 2, 2, 6_000_000_001, 6_100_000_000, 6_100_000_000),
        Compared("openrouter", "free-1", 1, 1, 0, 0, 0),
        Compared("xai", "grok-4", 1, 0, 0, 0, 5),
    ]


def test_the_page_lists_the_largest_difference_first(as_bob: Browser, recorded: Workspace) -> None:
    shown = words(as_bob.get(reverse("reported", args=[recorded.pk])))
    assert "openai/gpt-5 openrouter · 2 calls openrouter 2 $6.00 $6.10 + $0.10 1.7 %" in shown
    assert "grok-4 xai · 1 call xai 1 Unpriced &lt;$0.01 –" in shown
    assert "strange-1" not in shown


def test_nothing_told_is_said(as_bob: Browser, workspace: Workspace) -> None:
    ledger.record(ledger.event(workspace))
    assert "No provider reported a cost" in words(as_bob.get(reverse("reported", args=[workspace.pk])))


def test_a_period_that_is_none_is_explained(as_bob: Browser, workspace: Workspace) -> None:
    response = as_bob.get(reverse("reported", args=[workspace.pk]), {"period": "ever"})
    assert (response.status_code, "Choose one of" in words(response)) == (400, True)


def test_too_many_calls_are_told_so(as_bob: Browser, workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reported, "QUERY", "SELECT pg_sleep(60), %s, %s, %s, %s, %s")
    monkeypatch.setattr("metering.selection.COUNT_LIMIT", 20)
    with pytest.raises(TooMuch):
        compared(workspace.id, DAY)
    response = as_bob.get(reverse("reported", args=[workspace.pk]))
    assert "Too many calls to compare while you wait" in words(response)


@pytest.mark.parametrize("models", [1, 30])
def test_queries_do_not_grow(
    as_bob: Browser, workspace: Workspace, models: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    ledger.record(*[told(workspace, 1, model=f"model-{number}") for number in range(models)])
    with django_assert_num_queries(9):
        as_bob.get(reverse("reported", args=[workspace.pk]))
