"""No recorded answer used more, or cost more, than what its request alone made us expect at most."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest

from billing.catalogue import Catalogue, charge_reading
from billing.worst_case import worst_case
from metering import providers
from metering.bounds import bound
from metering.usage import Usage
from tests.metering.test_recordings import CASES, SLUGS, read, route_of

if TYPE_CHECKING:
    from billing.pricing import RateCard
    from metering.bounds import Bound
    from metering.usage import Reading

CATALOGUE = Catalogue()

# The recordings cut long strings of a request and say by how much: they are made as long again.
CUT = re.compile(r"\.\.\.\[(\d+) chars shortened\]")

# Refused under a hard cap, for what they use has no bound.
UNBOUNDED = {
    "openai-responses-plain-01ea97a6": "background",
    "openai-responses-plain-7bbb99c4": "background",
    "openai-responses-plain-9a2aa818": "background",
    "openai-responses-plain-47639413": "image generation",
    "openrouter-chat-plain-83b878cd": "preset",
}
# Refused as well, for the price list does not know another model that may answer.
UNPRICED = {"openrouter-chat-plain-4d648985", "openrouter-chat-stream-ff800c68"}


def recorded() -> list[Any]:
    """The recordings of a request that was answered."""
    asked = [case for case in CASES if type((case.values[0]["request"] or {}).get("body")) is dict]
    return [case for case in asked if case.values[0]["response"]["status"] == 200]


def restored(value: Any) -> Any:
    if isinstance(value, str):
        return CUT.sub(lambda cut: "x" * int(cut[1]), value)
    if isinstance(value, list):
        return [restored(item) for item in value]
    return {name: restored(item) for name, item in value.items()} if isinstance(value, dict) else value


class Asked:
    """A recorded request as the gateway sees it."""

    def __init__(self, recording: dict[str, Any]) -> None:
        name = recording["provider"]
        route = route_of(recording)
        provider = providers.find(SLUGS.get(name, name))
        assert provider is not None
        self.endpoint = route.endpoint
        self.dialect = route.endpoint.dialect or provider.dialect
        self.catalogue = name
        self.document = restored(recording["request"]["body"])
        self.model = recording["expected"]["request_model"] or self.document.get("model") or route.model
        priced = recording["expected"]["cost"] or {}
        self.moment = datetime.fromisoformat(priced.get("priced_at", "2026-11-01T00:00:00+00:00"))

    def card(self) -> RateCard | None:
        return CATALOGUE.rate_card(self.catalogue, self.model, self.moment)

    def bound(self) -> Bound:
        body = json.dumps(self.document, ensure_ascii=False, separators=(",", ":")).encode()
        card = self.card()
        window = card.window if card else 0
        return bound(self.endpoint, self.dialect, self.document, len(body), model=self.model, window=window)

    def worst_case(self) -> int | None:
        return worst_case(CATALOGUE, self.catalogue, self.model, self.moment, self.document, self.bound())

    def cost(self, reading: Reading) -> int | None:
        """Nano-USD as the ledger has it."""
        if self.endpoint.free:
            return 0
        if reading.provider_cost is not None:
            return reading.provider_cost
        charge = charge_reading(CATALOGUE, self.catalogue, reading, self.model, self.moment)
        return charge.cost if charge else None


@pytest.mark.parametrize("recording", recorded())
def test_a_recorded_answer_keeps_to_its_bound(recording: dict[str, Any]) -> None:
    asked = Asked(recording)
    most = asked.bound()
    word = UNBOUNDED.get(recording["id"])
    assert (word or "") in most.reason
    assert bool(word) == bool(most.reason)
    if word:
        return
    reading = read(recording)
    used = Usage() if asked.endpoint.free or reading.usage is None else reading.usage
    assert used.input_tokens <= most.input_tokens
    assert used.output_tokens <= most.output_tokens
    assert used.web_search_requests <= most.searches
    assert used.audio_seconds <= most.audio_seconds
    assert {part.model for part in reading.parts} <= {reading.model, asked.model, *most.models}


@pytest.mark.parametrize("recording", [case for case in recorded() if case.id not in UNBOUNDED])
def test_a_recorded_answer_costs_no_more_than_its_worst_case(recording: dict[str, Any]) -> None:
    asked = Asked(recording)
    most = asked.worst_case()
    if recording["id"] in UNPRICED or (asked.card() is None and not asked.endpoint.free):
        assert most is None
        return
    cost = asked.cost(read(recording))
    assert most is not None
    assert (cost or 0) <= most


def test_enough_was_recorded_to_mean_something() -> None:
    if CASES:
        assert len(recorded()) > 300
        assert sum(Asked(case.values[0]).worst_case() is not None for case in recorded()) > 280
