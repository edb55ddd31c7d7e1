from __future__ import annotations

from datetime import date

import pytest

from metering import breakdown
from metering.breakdown import InvalidGroup
from metering.filters import EventFilter
from metering.periods import preset
from tests.factories import ApiKeyFactory
from tests.ledger import event, record
from tokonomics.models import Workspace

MONTH = preset("month", date(2026, 6, 23))
ALL = EventFilter(MONTH)


@pytest.fixture(autouse=True)
def calls(workspace: Workspace, stranger: Workspace) -> None:
    record(
        event(stranger, cost=10**9),
        event(workspace, client="acme", cost=5, tags={"project": "x"}),
        event(workspace, client="", provider="google", model="gemini", cost=70, tags={"project": "y"}),
        event(workspace, client="acme", cost=None),
    )


@pytest.mark.parametrize(
    ("group", "groups"),
    [
        ("client", [({"client": ""}, 1, 70), ({"client": "acme"}, 2, 5)]),
        ("provider", [({"provider": "google"}, 1, 70), ({"provider": "openai"}, 2, 5)]),
        (
            "model",
            [
                ({"provider": "google", "model": "gemini"}, 1, 70),
                ({"provider": "openai", "model": "gpt-4.1-mini"}, 2, 5),
            ],
        ),
        ("day", [({"day": date(2026, 6, 23)}, 3, 75)]),
        ("tag.project", [({"tag_value": "y"}, 1, 70), ({"tag_value": "x"}, 1, 5)]),
    ],
)
def test_by_group(workspace: Workspace, group: str, groups: list[tuple[dict[str, object], int, int]]) -> None:
    found = breakdown.breakdown(workspace, ALL, group)
    assert [(columns, sums.calls, sums.cost) for columns, sums in found.groups] == groups
    assert found.total.cost == 75
    assert not found.more


def test_limits_hold(workspace: Workspace) -> None:
    found = breakdown.breakdown(workspace, EventFilter(MONTH, client="acme"), "model")
    assert (found.total.calls, found.total.cost) == (2, 5)


def test_more_groups_than_an_answer_has(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(breakdown, "MOST", 1)
    found = breakdown.breakdown(workspace, ALL, "client")
    assert (len(found.groups), found.more, found.total.calls) == (1, True, 3)


@pytest.mark.parametrize(
    ("group", "chosen"),
    [
        ("", ALL),
        ("colour", ALL),
        ("tag.1", ALL),
        ("tag.project", EventFilter(MONTH, client="acme")),
        ("client", EventFilter(MONTH, status="ok")),
        ("client", EventFilter(MONTH, tags=(("a", "b"),))),
    ],
)
def test_what_cannot_be_grouped(workspace: Workspace, group: str, chosen: EventFilter) -> None:
    with pytest.raises(InvalidGroup):
        breakdown.breakdown(workspace, chosen, group)


def test_a_key_s_own_usage(workspace: Workspace) -> None:
    key = ApiKeyFactory.create(workspace=workspace)
    record(event(workspace, key_id=key.id, cost=9), event(workspace, key_id=key.id, model="gpt-4.1", cost=90))
    used = breakdown.key_usage(key, MONTH)
    assert used.total.cost == 99
    assert [columns["model"] for columns, _ in used.models] == ["gpt-4.1", "gpt-4.1-mini"]
    assert [(columns["day"], sums.calls) for columns, sums in used.days] == [(date(2026, 6, 23), 2)]


def test_find_key(workspace: Workspace) -> None:
    key = ApiKeyFactory.create(workspace=workspace, key="mk_0123")
    assert breakdown.find_key("mk_0123") == key
    assert [breakdown.find_key(text) for text in ("mk_0124", "0123", "", "mk_" + "x" * 200)] == [None] * 4
