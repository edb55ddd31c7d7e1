from __future__ import annotations

from decimal import Decimal

import pytest

from metering import explanation
from metering.explanation import Line
from metering.ledger import UsageEvent
from tests.ledger import event
from tokonomics.models import Workspace

pytestmark = pytest.mark.django_db
CACHED = [
    ["input_tokens", 2140, "0.000003", "0.00642"],
    ["cache_read_tokens", 18432, "0.0000003", "0.0055296"],
    ["cache_write_1h_tokens", 0, "0.000006", "0"],
    ["output_tokens", 1186, "0.000015", "0.01779"],
]


def labels(item: UsageEvent) -> list[str]:
    return [line.label for line in explanation.lines(item)]


def test_lines_multiply(workspace: Workspace) -> None:
    lines = explanation.lines(event(workspace, lines=CACHED, reasoning_tokens=512))
    assert lines == [
        Line("input_tokens", "Input, not cached", 2140, Decimal("0.000003"), 6_420_000),
        Line("cache_read_tokens", "Input, read from cache", 18432, Decimal("0.0000003"), 5_529_600),
        Line("output_tokens", "Output, 512 of it reasoning", 1186, Decimal("0.000015"), 17_790_000),
    ]
    assert all(line.unit_price * line.count * 10**9 == line.amount for line in lines)


def test_plain_words_where_nothing_is_apart(workspace: Workspace) -> None:
    assert labels(event(workspace)) == ["Input", "Output"]


def test_reasoning_with_a_price_of_its_own(workspace: Workspace) -> None:
    lines = [["output_tokens", 10, "0.1", "1"], ["reasoning_tokens", 5, "0.2", "1"]]
    assert labels(event(workspace, lines=lines, reasoning_tokens=5)) == ["Output", "Reasoning"]


def test_a_unit_without_words_speaks_for_itself(workspace: Workspace) -> None:
    assert labels(event(workspace, lines=[["moon_phases", 1, "1", "1"]])) == ["Moon phases"]


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({}, "List price (genai-prices 0.2.3), frozen on this call."),
        (
            {
                "cost_source": "override",
                "price_version": "genai-prices 0.2.3, discount 01a211e1-9971-7595-bc91-1986df9a95d4",
            },
            "Own terms (genai-prices 0.2.3, discount), frozen on this call.",
        ),
        (
            {"cost_source": "provider", "price_version": ""},
            "The provider’s own figure, which is preferred to ours.",
        ),
        ({"cost_source": "free", "price_version": ""}, "This endpoint is free."),
        (
            {"cost": None, "model": "mystery-9b"},
            "The price list has no price for mystery-9b at openai. Nothing was guessed.",
        ),
        (
            {"cost": None, "usage": {}, "status": "provider_error"},
            "The call ended before the provider said what it used.",
        ),
    ],
)
def test_where_the_price_comes_from(workspace: Workspace, fields: dict[str, object], text: str) -> None:
    assert explanation.source(event(workspace, **fields)) == text


def test_flags_in_words(workspace: Workspace) -> None:
    item = event(workspace, estimated=True, flags=["usage_clamped", "odd_thing"])
    assert explanation.flags(item) == [
        "Estimated: the call ended before the provider’s own count arrived.",
        "One of the provider’s counts is larger than any call can use, and was cut.",
        "Odd thing.",
    ]
