from __future__ import annotations

from typing import Any

import pytest

from metering import providers
from metering.providers.base import Route
from metering.providers.responses import IN_BACKGROUND
from metering.usage import Reading


def route(slug: str, path: str, method: str = "POST") -> Route:
    found = providers.PROVIDERS[slug].route(method, path)
    assert found is not None
    return found


def read(slug: str, path: str, *documents: Any) -> Reading:
    reader = route(slug, path).endpoint.reader()
    for document in documents:
        reader.read(document)
    return reader.reading()


def counts(reading: Reading) -> dict[str, int]:
    assert reading.usage is not None
    return reading.usage.counts()


def test_chat_tells_every_part() -> None:
    usage = {
        "prompt_tokens": 100,
        "completion_tokens": 50,
        "total_tokens": 150,
        "prompt_tokens_details": {"cached_tokens": 40, "cache_write_tokens": 20, "audio_tokens": 10, "image_tokens": 5},
        "completion_tokens_details": {"reasoning_tokens": 30, "audio_tokens": 8},
    }
    reading = read("openai", "/chat/completions", {"model": "gpt-5", "service_tier": "flex", "usage": usage})
    assert (reading.model, reading.service_tier, reading.raw_usage) == ("gpt-5", "flex", usage)
    assert counts(reading) == {
        "input_tokens": 100,
        "output_tokens": 50,
        "cache_read_tokens": 40,
        "cache_write_tokens": 20,
        "reasoning_tokens": 30,
        "input_audio_tokens": 10,
        "input_image_tokens": 5,
        "output_audio_tokens": 8,
    }


def test_of_two_usages_the_last_counts() -> None:
    first = {"choices": [{}], "usage": {"prompt_tokens": 9, "completion_tokens": 1}}
    last = {"choices": [{}], "usage": {"prompt_tokens": 9, "completion_tokens": 8}}
    assert counts(read("perplexity", "/chat/completions", first, last, {"usage": None})) == {
        "input_tokens": 9,
        "output_tokens": 8,
    }


def halves(asked: int, made: int, **more: Any) -> dict[str, Any]:
    return {"prompt_tokens": asked, "completion_tokens": made} | more


def canonical(asked: int, made: int, **more: int) -> dict[str, int]:
    return {"input_tokens": asked, "output_tokens": made} | more


THOUGHT = {"completion_tokens_details": {"reasoning_tokens": 290}}
HEARD = {"prompt_tokens_details": {"audio_tokens": 375}}


@pytest.mark.parametrize(
    ("slug", "usage", "expected"),
    [
        # xAI: the reasoning stands beside the completion, and the total proves it; where it is inside, that too.
        ("xai", halves(12, 1, total_tokens=303, **THOUGHT), canonical(12, 291, reasoning_tokens=290)),
        ("xai", halves(12, 300, total_tokens=312, **THOUGHT), canonical(12, 300, reasoning_tokens=290)),
        # Mistral: the audio stands beside the prompt.
        ("mistral", halves(7, 5, total_tokens=387, **HEARD), canonical(382, 5, input_audio_tokens=375)),
        # DeepSeek's older shape, Together's and Mistral's names.
        ("deepseek", halves(9, 1, prompt_cache_hit_tokens=8), canonical(9, 1, cache_read_tokens=8)),
        ("together", halves(9, 1, cached_tokens=7), canonical(9, 1, cache_read_tokens=7)),
        ("mistral", halves(9, 1, num_cached_tokens=6), canonical(9, 1, cache_read_tokens=6)),
        # Voyage: only a total.
        ("voyageai", {"total_tokens": 8}, {"input_tokens": 8}),
        # Google's endpoint for OpenAI clients: the thinking is in the total alone.
        ("google", halves(35, 12, total_tokens=109), canonical(35, 74)),
    ],
)
def test_what_others_count_differently(slug: str, usage: dict[str, Any], expected: dict[str, int]) -> None:
    path = "/embeddings" if slug == "voyageai" else "/chat/completions"
    assert counts(read(slug, path, {"usage": usage})) == expected


OWN_KEY = {"cost": 0.00001, "is_byok": True}


@pytest.mark.parametrize(
    ("slug", "usage", "nano"),
    [
        ("openrouter", {"cost": 4.01e-05}, 40_100),
        ("openrouter", {"cost": 0.0004970133333333333}, 497_013),
        ("openrouter", {"cost": 0}, 0),
        ("openrouter", OWN_KEY | {"cost_details": {"upstream_inference_cost": 0.0003253}}, 335_300),
        ("openrouter", OWN_KEY | {"cost_details": {"upstream_inference_cost": None}}, None),
        ("perplexity", {"cost": {"input_tokens_cost": 0.001, "total_cost": 0.006}}, 6_000_000),
        ("xai", {"cost_in_usd_ticks": 1_466_250}, 146_625),
        ("openrouter", {"cost": "0.1"}, None),
        ("openrouter", {"cost": -1}, None),
        ("openrouter", {"cost": float("nan")}, None),
        ("openrouter", {"cost": 1e30}, None),
        ("openai", {"cost": 5}, None),
    ],
)
def test_the_providers_own_cost(slug: str, usage: dict[str, Any], nano: int | None) -> None:
    totals = {"prompt_tokens": 1, "completion_tokens": 1}
    assert read(slug, "/chat/completions", {"usage": totals | usage}).provider_cost == nano


def test_an_error_inside_a_stream_is_told_with_what_was_reported() -> None:
    event = {"error": {"message": "…", "type": "invalid_request_error", "code": "tool_use_failed", "status_code": 400}}
    reading = read("groq", "/chat/completions", {"model": "m", "choices": [{"delta": {"content": "ab"}}]}, event)
    assert (reading.error, reading.usage, reading.output_characters) == ("tool_use_failed", None, 2)


def response(status: str, usage: dict[str, int] | None, **more: Any) -> dict[str, Any]:
    return {"object": "response", "model": "gpt-5", "status": status, "usage": usage} | more


NOTHING = {"input_tokens": 0, "output_tokens": 0}
USED = {"input_tokens": 7, "output_tokens": 3, "total_tokens": 10}


@pytest.mark.parametrize("ending", ["completed", "incomplete", "failed"])
def test_a_response_counts_when_it_has_ended(ending: str) -> None:
    reader = route("openai", "/responses").endpoint.reader()
    reader.read(
        {"type": "response.created", "response": response("in_progress", {"input_tokens": 0, "output_tokens": 0})}
    )
    reader.read({"type": "response.output_text.delta", "delta": "four"})
    assert reader.reading().usage is None
    assert not reader.terminal
    reader.read(
        {
            "type": f"response.{ending}",
            "response": response(ending, USED, error={"code": "x"} if ending == "failed" else None),
        }
    )
    assert reader.terminal
    reading = reader.reading()
    assert counts(reading) == {"input_tokens": 7, "output_tokens": 3}
    assert (reading.error, reading.output_characters) == ("x" if ending == "failed" else "", 4)


def test_of_a_responses_tools_those_that_bill_are_counted() -> None:
    output = [
        {"type": "web_search_call", "action": {"type": "search"}},
        {"type": "web_search_call", "action": {"type": "open_page"}},
        {"type": "web_search_call"},
        {"type": "file_search_call"},
        {"type": "code_interpreter_call"},
        {"type": "image_generation_call"},
        {"type": "function_call"},
        {"type": "message"},
    ]
    reading = read("openai", "/responses", response("completed", USED, output=output))
    assert counts(reading) == {
        "input_tokens": 7,
        "output_tokens": 3,
        "web_search_requests": 2,
        "file_search_requests": 1,
        "code_interpreter_calls": 1,
        "image_generation_calls": 1,
    }


def test_a_response_without_a_prompt_is_a_lost_count() -> None:
    assert read("openai", "/responses", response("completed", NOTHING)).usage is None


def test_a_background_response_tells_its_usage_later() -> None:
    later = route("openai", "/responses").endpoint.later
    assert later is not None
    assert later({"model": "m", "background": True})
    assert not later({"model": "m", "background": False})
    assert not later({"model": "m"})


@pytest.mark.parametrize(
    ("method", "path", "kind", "metered", "free"),
    [
        ("POST", "/responses", "responses", True, False),
        ("POST", "/responses/compact", "responses.compact", True, False),
        ("POST", "/responses/input_tokens", "responses.input_tokens", True, True),
        ("GET", "/responses/resp_1", "responses.retrieve", False, False),
        ("GET", "/responses/resp_1/input_items", "responses.retrieve", False, False),
        ("DELETE", "/responses/resp_1", "responses.delete", False, False),
        ("POST", "/completions", "completions", True, False),
        ("POST", "/embeddings", "embeddings", True, False),
        ("POST", "/moderations", "moderations", True, True),
        ("POST", "/images/generations", "images.generations", True, False),
        ("POST", "/audio/transcriptions", "audio.transcriptions", True, False),
        ("GET", "/models", "models", False, False),
    ],
)
def test_endpoints(method: str, path: str, kind: str, metered: bool, free: bool) -> None:
    endpoint = route("openai", path, method).endpoint
    assert (endpoint.kind, endpoint.metered, endpoint.free) == (kind, metered, free)


def test_images() -> None:
    usage = {
        "input_tokens": 50,
        "output_tokens": 4160,
        "input_tokens_details": {"text_tokens": 10, "image_tokens": 40},
        "output_tokens_details": {"image_tokens": 4100, "text_tokens": 60},
    }
    partial = {"type": "image_generation.partial_image", "b64_json": "AAAA"}
    completed = {"type": "image_generation.completed", "b64_json": "AAAA", "usage": usage}
    whole = read("openai", "/images/generations", {"data": [{"b64_json": "AAAA"}], "usage": usage})
    assert counts(whole) == {
        "input_tokens": 50,
        "output_tokens": 4160,
        "input_image_tokens": 40,
        "output_image_tokens": 4100,
    }
    assert read("openai", "/images/generations", partial, completed).usage == whole.usage
    assert read("openai", "/images/generations", {"data": [{"url": "https://…"}]}).usage is None


def test_transcriptions() -> None:
    tokens = {"type": "tokens", "input_tokens": 14, "output_tokens": 5, "input_token_details": {"audio_tokens": 14}}
    path = "/audio/transcriptions"
    assert counts(read("openai", path, {"text": "…", "usage": tokens})) == {
        "input_tokens": 14,
        "output_tokens": 5,
        "input_audio_tokens": 14,
    }
    done = {"type": "transcript.text.done", "usage": tokens}
    assert read("openai", path, {"type": "transcript.text.delta", "delta": "a"}, done).usage is not None
    assert counts(read("openai", path, {"text": "…", "usage": {"type": "duration", "seconds": 9}})) == {
        "audio_seconds": 9
    }
    seconds = read("groq", path, {"text": "…", "duration": 9.2})
    assert (counts(seconds), seconds.flags) == ({"audio_seconds": 10}, ())
    assert read("groq", path, {"text": "…", "x_groq": {"id": "r"}}).usage is None


def test_pages() -> None:
    reading = read("mistral", "/ocr", {"model": "mistral-ocr", "pages": [{}], "usage_info": {"pages_processed": 3}})
    assert counts(reading) == {"document_pages": 3}
    assert read("mistral", "/ocr", {"model": "mistral-ocr", "pages": [{}]}).usage is None


@pytest.mark.parametrize("status", ["queued", "in_progress"])
def test_what_runs_in_the_background_says_so(status: str) -> None:
    found = read("openai", "/responses", {"id": "resp_1", "status": status, "background": True, "usage": None})
    assert (found.usage, found.flags) == (None, (IN_BACKGROUND,))


def test_what_ran_in_the_background_has_its_usage_at_last() -> None:
    usage = {"input_tokens": 9, "output_tokens": 1, "total_tokens": 10}
    found = read("openai", "/responses", {"id": "resp_1", "status": "completed", "background": True, "usage": usage})
    assert found.usage is not None
    assert (found.usage.counts(), found.flags) == ({"input_tokens": 9, "output_tokens": 1}, ())


def test_mistrals_recording_has_tokens_that_only_the_total_tells() -> None:
    usage = {"prompt_audio_seconds": 203, "prompt_tokens": 4, "completion_tokens": 635, "total_tokens": 3264}
    assert counts(read("mistral", "/audio/transcriptions", {"text": "Hello", "usage": usage})) == {
        "input_tokens": 2629,
        "output_tokens": 635,
        "input_audio_tokens": 2625,
        "audio_seconds": 203,
    }


def test_speech_tells_its_tokens_at_the_end_of_a_stream_of_events() -> None:
    usage = {"input_tokens": 14, "output_tokens": 101, "total_tokens": 115}
    reader = route("openai", "/audio/speech").endpoint.reader()
    reader.read({"type": "speech.audio.delta", "audio": "UklGRg=="})
    assert not reader.terminal
    reader.read({"type": "speech.audio.done", "usage": usage})
    assert reader.terminal
    assert counts(reader.reading()) == {"input_tokens": 14, "output_tokens": 101}


USAGE = {"prompt_tokens": 9, "completion_tokens": 1, "total_tokens": 10}


@pytest.mark.parametrize(
    ("before", "partial"),
    [
        ({"choices": [{"delta": {"role": "assistant", "content": ""}, "finish_reason": "stop"}]}, False),
        ({"choices": [{"delta": {"role": "assistant", "content": "Hi"}, "finish_reason": None}]}, True),
    ],
)
def test_a_usage_beside_an_empty_piece_is_the_last_when_the_answer_has_finished(before: Any, partial: bool) -> None:
    last = {"choices": [{"delta": {"role": "assistant", "content": ""}, "finish_reason": None}], "usage": USAGE}
    assert read("openrouter", "/chat/completions", before, last).partial is partial


def test_a_model_need_not_be_named_where_the_provider_has_a_usual_one() -> None:
    assert route("openai", "/moderations").endpoint.usual_model == "omni-moderation-latest"
    assert route("mistral", "/agents/completions").endpoint.usual_model == "agent"
    assert route("openai", "/chat/completions").endpoint.usual_model == ""
