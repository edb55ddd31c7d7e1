"""The built-in provider: chat completions in OpenAI's dialect from memory, the same words for the same question.

It lets the tour, the snippets and the onboarding make a metered call without a key and without a network.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import orjson

from metering import providers
from metering.gateway.accounts import Credential
from metering.gateway.origin import Origin

if TYPE_CHECKING:
    from metering.gateway.call import Call
    from metering.gateway.exchange import MeteredExchange

SLUG = "sandbox"
MODELS = ("sandbox-small", "sandbox-large")
PAUSE_SECONDS = 0.02
MADE = 1767225600
TEXT = """\
This answer comes from the sandbox: no provider was asked and nothing is charged. It is metered like any other call, so
you will find it under Events with its tokens, its list price and the tags that you sent. Connect a provider, change
the path from /proxy/sandbox to /proxy/openai, and the same code talks to the real model."""
WORDS = TEXT.split()
CREDENTIAL = Credential(None, SLUG, providers.PROVIDERS[SLUG], Origin(SLUG), b"sandbox", "", "")


class SandboxConnection:
    """Stands where a connection to a provider would: answers one call, piece by piece."""

    def __init__(self, sink: MeteredExchange) -> None:
        self.sink: MeteredExchange | None = sink
        self.loop = asyncio.get_running_loop()
        self.pieces: list[bytes] = []
        self.paused = False

    def answer(self, call: Call) -> None:
        """Start to answer."""
        if not call.way.metered:
            self._whole(_models())
        elif call.model not in MODELS:
            self._whole(_unknown_model(call.model), 404)
        elif call.stream:
            self.pieces = _events(call)
            self._head(200, b"text/event-stream; charset=utf-8")
            self.loop.call_soon(self._next)
        else:
            self._whole(_completion(call))

    def close(self) -> None:
        """The caller wants no more."""
        self.sink = None

    def pause(self) -> None:
        """The client is slow."""
        self.paused = True

    def resume(self) -> None:
        """The client reads again."""
        if self.paused:
            self.paused = False
            self.loop.call_soon(self._next)

    def _head(self, status: int, content_type: bytes) -> None:
        if self.sink is not None:
            self.sink.head(status, [(b"content-type", content_type)])

    def _whole(self, document: dict[str, Any], status: int = 200) -> None:
        self._head(status, b"application/json")
        self.pieces = [orjson.dumps(document)]
        self.loop.call_soon(self._next)

    def _next(self) -> None:
        if self.sink is None or self.paused:
            return
        if not self.pieces:
            sink, self.sink = self.sink, None
            sink.end()
            return
        self.sink.body(self.pieces.pop(0))
        self.loop.call_later(PAUSE_SECONDS if self.pieces else 0, self._next)


def _words(call: Call) -> tuple[list[str], dict[str, int], str]:
    """The words of the answer, its usage and why it ends: one token a word, at most as many as were asked for."""
    limit = call.document.get("max_completion_tokens", call.document.get("max_tokens"))
    words = WORDS[: max(limit, 1)] if type(limit) is int else WORDS
    asked = max(1, len(_text(call.document.get("messages"))) // 4)
    usage = {"prompt_tokens": asked, "completion_tokens": len(words), "total_tokens": asked + len(words)}
    return words, usage, "stop" if len(words) == len(WORDS) else "length"


def _text(messages: Any) -> str:
    """All text of the messages."""
    if isinstance(messages, str):
        return messages
    if isinstance(messages, list):
        return " ".join(_text(part) for part in messages)
    if isinstance(messages, dict):
        return " ".join(_text(messages[name]) for name in ("content", "text") if name in messages)
    return ""


def _document(call: Call, kind: str, choice: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{call.id}",
        "object": kind,
        "created": call.at // 1_000_000,
        "model": call.model,
        "choices": [{"index": 0, **choice}],
    }


def _completion(call: Call) -> dict[str, Any]:
    words, usage, reason = _words(call)
    message = {"role": "assistant", "content": " ".join(words), "refusal": None}
    choice = {"message": message, "logprobs": None, "finish_reason": reason}
    return _document(call, "chat.completion", choice) | {"usage": usage}


def _events(call: Call) -> list[bytes]:
    words, usage, reason = _words(call)
    kind = "chat.completion.chunk"
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    deltas += [{"content": word if number == 0 else f" {word}"} for number, word in enumerate(words)]
    documents = [_document(call, kind, {"delta": delta, "finish_reason": None}) for delta in deltas]
    documents.append(_document(call, kind, {"delta": {}, "finish_reason": reason}))
    documents.append(_document(call, kind, {}) | {"choices": [], "usage": usage})
    return [b"data: %b\n\n" % orjson.dumps(document) for document in documents] + [b"data: [DONE]\n\n"]


def _models() -> dict[str, Any]:
    rows = [{"id": name, "object": "model", "created": MADE, "owned_by": SLUG} for name in MODELS]
    return {"object": "list", "data": rows}


def _unknown_model(model: str) -> dict[str, Any]:
    message = f"The sandbox has no model {model!r}: use {' or '.join(MODELS)}."
    return {"error": {"message": message, "type": "invalid_request_error", "param": "model", "code": "model_not_found"}}
