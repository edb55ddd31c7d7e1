"""The event of a call whose process died."""

from __future__ import annotations

from metering.recording.facts import facts_of
from metering.recording.orphans import orphan
from metering.recording.rows import row
from tests.spooled import intent

WORKSPACE = "01990000-0000-7000-8000-00000000000a"


def test_an_orphan_is_charged_what_its_intent_expected() -> None:
    called = intent(WORKSPACE, stream=True, estimate={"input_tokens": 250, "cost": 100_000})
    event = orphan(called)
    assert {name: event[name] for name in called if name not in ("kind", "estimate")} == {
        name: value for name, value in called.items() if name not in ("kind", "estimate")
    }
    assert event["usage"] == {"input_tokens": 250}
    assert (event["cost"], event["cost_source"], event["estimated"]) == (100_000, "catalogue", True)
    assert (event["status"], event["http_status"], event["flags"]) == ("aborted", 0, ["orphan"])
    assert row(facts_of(event), event)


def test_an_orphan_of_unknown_price_stays_unpriced() -> None:
    event = orphan(intent(WORKSPACE, estimate={"input_tokens": 0, "cost": None}))
    assert (event["usage"], event["cost"], event["cost_source"]) == ({}, None, "")
