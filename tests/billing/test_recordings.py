"""Every recorded answer with a known cost is charged that cost, to the last digit."""

from __future__ import annotations

import json
import os
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from billing.catalogue import Catalogue, charge_reading
from billing.money import to_nano, usd
from metering.usage import Part, Reading, Usage

if TYPE_CHECKING:
    from collections.abc import Callable

    from billing.pricing import Charge

ROOT = Path(__file__).parents[2]
FOLDER = Path(os.environ.get("TOKONOMICS_RECORDINGS", ROOT.parent / "shared" / "recordings"))
FILES = sorted(FOLDER.glob("dev/*/*.json"))

# The recordings' name of a provider → the catalogue's, where they differ.
PROVIDERS = {"vertex": "google"}
UNKNOWN = ("model not in catalogue", "no catalogue", "no model")

# The recordings' names of counts that differ from ours, and what they hold beside our counts.
RENAMED = {"cache_write_5m_tokens": "cache_write_5m", "cache_write_1h_tokens": "cache_write_1h"}
BESIDE = {"provider_cost_usd", "unbilled_input_tokens", "image_generation_calls"}


pytestmark = pytest.mark.skipif(not FILES, reason=f"no recordings in {FOLDER}: set TOKONOMICS_RECORDINGS")

CATALOGUE = Catalogue()


def recordings(wanted: Callable[[dict[str, Any]], bool]) -> list[Any]:
    """(the catalogue's id of the provider, what is expected) of the recordings whose expected cost is wanted."""
    cases = []
    for file in FILES:
        recording = json.loads(file.read_text())
        expected = recording["expected"]
        if wanted(expected["cost"] or {}):
            provider = recording["provider"]
            cases.append(pytest.param(PROVIDERS.get(provider, provider), expected, id=recording["id"]))
    return cases


def usage(counts: dict[str, Any]) -> Usage:
    return Usage(**{RENAMED.get(name, name): count for name, count in counts.items() if name not in BESIDE})


def charge(provider: str, expected: dict[str, Any]) -> Charge | None:
    reading = Reading(
        usage=usage(expected["usage"]),
        model=expected["response_model"] or "",
        parts=tuple(Part(part["model"], usage(part["usage"])) for part in expected["extra"].get("parts", ())),
        service_tier=str(expected["service_tier"] or ""),
    )
    moment = datetime.fromisoformat(expected["cost"].get("priced_at", "2026-11-01T00:00:00+00:00"))
    return charge_reading(CATALOGUE, provider, reading, expected["request_model"] or "", moment)


@pytest.mark.parametrize(("provider", "expected"), recordings(lambda cost: "total_usd" in cost))
def test_a_recorded_answer_costs_what_the_catalogue_says(provider: str, expected: dict[str, Any]) -> None:
    charged = charge(provider, expected)
    cost = Decimal(expected["cost"]["total_usd"])
    assert charged is not None
    assert sum((line.amount for line in charged.lines), Decimal(0)) == cost
    assert charged.cost == to_nano(cost)


@pytest.mark.parametrize(("provider", "expected"), recordings(lambda cost: cost.get("error", "").startswith(UNKNOWN)))
def test_a_recorded_answer_of_an_unknown_model_is_unpriced(provider: str, expected: dict[str, Any]) -> None:
    assert charge(provider, expected) is None


@pytest.mark.parametrize(("provider", "expected"), recordings(lambda cost: "ValueError" in cost.get("error", "")))
def test_contradictory_counts_are_charged_near_the_providers_own_cost(provider: str, expected: dict[str, Any]) -> None:
    charged = charge(provider, expected)
    reported = Decimal(str(expected["provider_reported_cost_usd"]))
    assert charged is not None
    assert abs(usd(charged.cost) / reported - 1) < Decimal("0.01")
