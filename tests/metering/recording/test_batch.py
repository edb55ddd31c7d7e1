"""What a transaction will add: whole events, or nothing of them."""

from __future__ import annotations

from typing import Any

import pytest

from metering.recording.batch import MALFORMED, Batch
from metering.records import encode
from tests.spooled import intent, result

WORKSPACE = "01990000-0000-7000-8000-00000000000a"


@pytest.mark.parametrize(
    "change", [{"at": 2**63 - 1}, {"at": -(2**62)}, {"usage": {"input_tokens": 1.5}}, {"id": "0199"}], ids=str
)
def test_of_a_malformed_result_nothing_stays(change: dict[str, Any]) -> None:
    batch = Batch()
    with pytest.raises(MALFORMED):
        batch.add_result(result(intent(WORKSPACE), **change))
    assert not batch
    assert not batch.results
    assert not batch.tallies.usage


def test_events_are_read_again_when_they_are_asked_for() -> None:
    batch = Batch()
    told = [result(intent(WORKSPACE, client=client)) for client in ("acme", "umbrella")]
    for each in told:
        batch.add_result(each, encode(each))
    assert batch.results == told
    batch.rename_clients({(WORKSPACE, "acme"): "other"})
    assert [each["client"] for each in batch.results] == ["other", "umbrella"]
    assert {key[2] for key in batch.tallies.usage} == {"other", "umbrella"}
