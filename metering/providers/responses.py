"""Reader of OpenAI's Responses API: https://platform.openai.com/docs/api-reference/responses."""

from __future__ import annotations

import re

from metering.providers.chat import Cost
from metering.providers.openai_usage import nano, openai_usage
from metering.providers.reader import PLAIN, AnswerReader, Counts, Object, error_code
from metering.usage import Reading, Usage

ENDS = frozenset({"response.completed", "response.incomplete", "response.failed"})
UNFINISHED = frozenset({"queued", "in_progress"})
TEXT = re.compile(rb'"delta":"%b"' % PLAIN)
IN_BACKGROUND = "usage_in_background"
"""Flag: the response was still being made when it was sent; what it will have used, this answer does not tell."""
TOOLS = {
    "web_search_call": "web_search_requests",
    "file_search_call": "file_search_requests",
    "code_interpreter_call": "code_interpreter_calls",
    "image_generation_call": "image_generation_calls",
}


class ResponsesReader(AnswerReader):
    """The response stands alone, or in the events that begin and end a stream; its usage counts once it has ended.

    Tools that bill by the call are counted from the output: of web searches, opening or searching a page is free.
    """

    __slots__ = ("_background", "_cost", "_tools")

    def __init__(self, cost: Cost | None = None) -> None:
        super().__init__()
        self._cost = cost
        self._background = False
        self._tools: dict[str, int] = {}

    def skim(self, event: bytes) -> bool:
        return b'"type":"response.output_text.delta"' in event and self.skim_text(event, TEXT)

    def fold(self, document: Object) -> None:
        kind = document.get("type")
        delta = document.get("delta")
        if delta is not None:
            self.saw(delta)
            return
        if document.get("error"):
            self.error = error_code(document["error"])
        elif kind == "error":
            self.error = error_code(document)
        response = document.get("response", document)
        if type(response) is dict:
            self._response(response)
        if type(kind) is str and kind in ENDS:
            self.terminal = True

    def _response(self, response: Object) -> None:
        for name, field in (("model", "model"), ("service_tier", "tier")):
            value = response.get(name)
            if value and type(value) is str:
                setattr(self, field, value)
        usage = response.get("usage")
        status = response.get("status")
        if response.get("background") is True:
            self._background = True
        if usage and type(usage) is dict and not (type(status) is str and status in UNFINISHED):
            self.raw = usage
        if response.get("error"):
            self.error = error_code(response["error"])
        output = response.get("output")
        if type(output) is list:
            self._count_tools(output)

    def _count_tools(self, output: list[object]) -> None:
        self._tools = {}
        for item in output:
            if type(item) is not dict:
                continue
            kind = item.get("type")
            field = TOOLS.get(kind) if type(kind) is str else None
            action = item.get("action")
            if field and (type(action) is not dict or action.get("type") in ("search", None)):
                self._tools[field] = self._tools.get(field, 0) + 1

    def measure(self, raw: Object, counts: Counts) -> Usage | None:
        usage = openai_usage(raw, counts)
        # A response to no prompt does not exist: OpenAI sends zeros where it lost count.
        if usage is None or not usage.total_tokens:
            return None
        more = {name: max(count, getattr(usage, name)) for name, count in self._tools.items()}
        return usage._replace(**more)

    def reading(self) -> Reading:
        found = super().reading()
        if self._background and found.usage is None:
            found = found._replace(flags=(*found.flags, IN_BACKGROUND))
        return found

    def provider_cost(self) -> int | None:
        return nano(self._cost(self.raw)) if self._cost and self.raw else None
