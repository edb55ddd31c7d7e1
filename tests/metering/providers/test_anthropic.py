from __future__ import annotations

from typing import Any

from metering import providers
from metering.usage import Reading


def read(*documents: Any) -> Reading:
    route = providers.PROVIDERS["anthropic"].route("POST", "/v1/messages")
    assert route is not None
    reader = route.endpoint.reader()
    for document in documents:
        reader.read(document)
    return reader.reading()


def message(usage: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "type": "message",
        "model": "claude-sonnet-5",
        "content": [{"type": "text", "text": "four"}],
        "usage": usage,
    } | more


def counts(reading: Reading) -> dict[str, int]:
    assert reading.usage is not None
    return reading.usage.counts()


def test_the_input_holds_what_the_cache_gave_and_took() -> None:
    reading = read(
        message(
            {
                "input_tokens": 10,
                "output_tokens": 211,
                "cache_read_input_tokens": 4332,
                "cache_creation_input_tokens": 4513,
                "cache_creation": {"ephemeral_5m_input_tokens": 4000, "ephemeral_1h_input_tokens": 513},
                "output_tokens_details": {"thinking_tokens": 33},
                "server_tool_use": {"web_search_requests": 2, "web_fetch_requests": 1},
                "service_tier": "standard",
            }
        )
    )
    assert counts(reading) == {
        "input_tokens": 8855,
        "output_tokens": 211,
        "cache_read_tokens": 4332,
        "cache_write_tokens": 4513,
        "cache_write_5m": 4000,
        "cache_write_1h": 513,
        "reasoning_tokens": 33,
        "web_search_requests": 2,
        "web_fetch_requests": 1,
    }
    assert (reading.model, reading.service_tier, reading.output_characters) == ("claude-sonnet-5", "standard", 4)


def test_a_stream_overlays_what_it_began_with() -> None:
    start = {"input_tokens": 5, "cache_read_input_tokens": 100, "output_tokens": 1, "service_tier": "priority"}
    reading = read(
        {"type": "message_start", "message": {"model": "claude-opus-5", "content": [], "usage": start}},
        {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "ab"}},
        {"type": "content_block_delta", "delta": {"type": "signature_delta", "signature": "xxxxxxxx"}},
        {"type": "message_delta", "delta": {}, "usage": {"output_tokens": 9, "cache_read_input_tokens": None}},
        {"type": "message_delta", "delta": {}, "usage": {"output_tokens": 12, "input_tokens": 7}},
        {"type": "message_stop"},
    )
    assert counts(reading) == {"input_tokens": 107, "output_tokens": 12, "cache_read_tokens": 100}
    assert (reading.model, reading.service_tier) == ("claude-opus-5", "priority")
    assert (reading.output_characters, reading.output_events) == (2, 1)


def test_an_aborted_stream_tells_its_input() -> None:
    start = {"input_tokens": 5, "output_tokens": 1}
    assert counts(read({"type": "message_start", "message": {"usage": start}})) == {
        "input_tokens": 5,
        "output_tokens": 1,
    }


def test_iterations_bill_on_top_and_at_their_own_models() -> None:
    reading = read(
        message(
            {
                "input_tokens": 2390,
                "output_tokens": 121,
                "server_tool_use": {"web_search_requests": 1},
                "iterations": [
                    {"type": "message", "input_tokens": 1128, "output_tokens": 110},
                    {"type": "advisor_message", "model": "claude-opus-4-8", "input_tokens": 2518, "output_tokens": 22},
                    {"type": "message", "input_tokens": 1262, "output_tokens": 11},
                ],
            }
        )
    )
    assert counts(reading) == {"input_tokens": 4908, "output_tokens": 143, "web_search_requests": 1}
    assert [(part.model, part.usage.counts()) for part in reading.parts] == [
        ("claude-sonnet-5", {"input_tokens": 1128, "output_tokens": 110, "web_search_requests": 1}),
        ("claude-opus-4-8", {"input_tokens": 2518, "output_tokens": 22}),
        ("claude-sonnet-5", {"input_tokens": 1262, "output_tokens": 11}),
    ]


def test_one_iteration_is_the_message_itself() -> None:
    iterations = [{"type": "message", "input_tokens": 7, "output_tokens": 3}]
    reading = read(message({"input_tokens": 7, "output_tokens": 3, "iterations": iterations}))
    assert (counts(reading), reading.parts) == ({"input_tokens": 7, "output_tokens": 3}, ())


def test_iterations_never_make_less_of_a_message() -> None:
    iterations = [{"input_tokens": 1, "output_tokens": 1}, {"input_tokens": "x"}, None, 7]
    reading = read(message({"input_tokens": 70, "output_tokens": 3, "iterations": iterations}))
    assert reading.parts == ()
    assert reading.flags == ("usage_anomaly",)


def test_a_fallback_leaves_the_refused_attempt_out_and_says_so() -> None:
    iterations = [
        {"type": "message", "model": "claude-fable-5", "input_tokens": 408, "output_tokens": 0},
        {"type": "fallback_message", "model": "claude-opus-4-8", "input_tokens": 412, "output_tokens": 264},
    ]
    reading = read(message({"input_tokens": 412, "output_tokens": 264, "iterations": iterations}))
    assert counts(reading) == {"input_tokens": 412, "output_tokens": 264}
    assert (reading.parts, reading.flags) == ((), ("usage_fallback_unclear",))


def test_what_else_the_price_depends_on() -> None:
    used = {"input_tokens": 1, "output_tokens": 1}
    assert read(message(used | {"speed": "fast", "inference_geo": "us"})).context == (
        ("speed", "fast"),
        ("inference_geo", "us"),
    )
    assert read(message(used | {"speed": "standard", "inference_geo": "global"})).context == ()


def test_an_error_event_ends_with_what_was_reported() -> None:
    reading = read(
        {"type": "message_start", "message": {"model": "m", "usage": {"input_tokens": 5, "output_tokens": 1}}},
        {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}},
    )
    assert (reading.error, counts(reading)) == ("overloaded_error", {"input_tokens": 5, "output_tokens": 1})


def test_counting_tokens_is_free() -> None:
    route = providers.PROVIDERS["anthropic"].route("POST", "/messages/count_tokens")
    assert route is not None
    assert route.endpoint.free
    reader = route.endpoint.reader()
    reader.read({"input_tokens": 2095})
    assert reader.reading().usage is None
