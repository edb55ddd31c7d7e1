"""What results have in common is read once, and a line that is written in another way is left to be read whole."""

from __future__ import annotations

from typing import Any

import pytest

from metering.recording.facts import MEMBERS, facts_of, halves
from metering.records import BadLine, encode
from tests.spooled import intent, result

WORKSPACE = "01990000-0000-7000-8000-00000000000a"


def as_gateways_write(**fields: Any) -> dict[str, Any]:
    """A result whose facts stand together."""
    told = result(intent(WORKSPACE, **fields))
    facts = {name: told.pop(name) for name in MEMBERS}
    own = {name: told.pop(name) for name in ("kind", "id", "at", "day", "stream")}
    return own | facts | told


def test_a_line_falls_into_its_facts_and_the_rest() -> None:
    told = as_gateways_write(client="acme", tags={"client": "acme", "run": "7"})
    found = halves(encode(told))
    assert found is not None
    facts, rest = found
    assert rest == {name: value for name, value in told.items() if name not in MEMBERS}
    assert (facts.workspace, facts.client, facts.provider) == (WORKSPACE, "acme", "openai")
    assert facts.tags == told["tags"]


def test_calls_of_one_head_share_their_facts() -> None:
    first, second, other = (halves(encode(as_gateways_write(client=name))) for name in ("acme", "acme", "umbrella"))
    assert first
    assert second
    assert other
    assert first[0] is second[0] is facts_of(as_gateways_write(client="acme"))
    assert first[0] is not other[0]


@pytest.mark.parametrize(
    "tags",
    [
        {"test": "false", "workspace": "x"},
        {"a": ',"test":false', "test": "true"},
        {"a": ',"workspace":"', "model": "m"},
        {},
    ],
    ids=str,
)
def test_no_tag_is_mistaken_for_a_member(tags: dict[str, str]) -> None:
    told = as_gateways_write(tags=tags)
    found = halves(encode(told))
    assert found is not None
    assert found[0].tags == tags
    assert found[1] == {name: value for name, value in told.items() if name not in MEMBERS}


def test_another_order_is_left_to_be_read_whole() -> None:
    told = as_gateways_write()
    assert halves(encode(result(intent(WORKSPACE)))) is None
    assert halves(encode(dict(reversed(told.items())))) is None
    assert halves(encode({name: value for name, value in told.items() if name != "endpoint"})) is None
    assert halves(encode(intent(WORKSPACE))) is None


def test_a_nul_character_is_left_to_be_replaced() -> None:
    assert halves(encode(as_gateways_write(tags={"a": "b\0c"}))) is None


def test_a_damaged_line_is_refused() -> None:
    with pytest.raises(BadLine):
        halves(encode(as_gateways_write()).replace(b"acme", b"acne"))
