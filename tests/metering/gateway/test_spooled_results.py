"""What a gateway writes of a call is what the recorder reads in the quick way."""

from __future__ import annotations

from metering.recording.facts import halves
from metering.records import encode
from tests.metering.gateway.conftest import Running
from tests.metering.gateway.test_calls import ASK, ASK_STREAM, CHAT
from tests.upstreams.provider import Provider


def test_the_recorder_finds_the_facts_in_a_gateways_line(gateway: Running, provider: Provider) -> None:
    tags = '{"client":"acme-corp","test":"true","workspace":"mine","model":"none"}'
    gateway.call(CHAT, ASK, x_metering_tags=tags).read()
    gateway.call(CHAT, ASK_STREAM, x_metering_tags=tags).read()
    first, second = gateway.records("result")
    for told in (first, second):
        found = halves(encode(told))
        assert found is not None
        facts, rest = found
        assert facts.tags == told["tags"]
        assert (facts.workspace, facts.client, facts.provider) == (told["workspace"], "acme-corp", "openai")
        assert rest["model"] == told["model"]
        assert not rest.keys() & {"workspace", "client", "key", "tags", "test"}
