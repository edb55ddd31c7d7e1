"""What a prompt holds that its bytes do not bound: pictures, files, and what the provider keeps. Pure.

A token of text is at least one byte, so a body's bytes bound its text. Not so a picture (a short one may cost many
tokens, and a long one few), a document (its pages are shown as pictures as well) or whatever is only referred to.
Sound is bounded by its bytes: at Gemini's 32 tokens a second no codec is that thin.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

IMAGE_TOKENS = 50_000
"""A picture at most: OpenAI's dearest is gpt-4o-mini's 8 tiles of 5,667 tokens and 2,833 more."""
IMAGE_TOKENS_OF = {"anthropic": 8_192}
"""Anthropic scales pictures down to less than 5,000 tokens."""
VIDEO_TOKENS = 50_000
"""What a short film adds to its own bytes."""

CONTEXT = frozenset({"previous_response_id", "conversation", "cachedContent", "cached_content"})
"""Members of a request that bring along what the provider keeps."""
CARRIERS = {
    "image_url": "image",
    "imageUrl": "image",
    "input_audio": "audio",
    "audio_url": "audio",
    "video_url": "video",
    "document_url": "",
    "file": "",
    "file_data": "",
    "file_url": "",
    "inlineData": "",
    "inline_data": "",
    "fileData": "",
    "source": "",
}
"""Members that carry media, and what kind they are unless a MIME type says it."""
FILES = {"input_image": "image", "computer_screenshot": "image", "input_file": ""}
"""Parts of a prompt that may name a file of the provider's by its `file_id`."""
MARKS = frozenset({*CARRIERS, "cache_control", "file_id", "result", "ttl", "prompt_cache_retention"})
OPAQUE = frozenset(
    "args arguments json_schema metadata response responseJsonSchema responseSchema response_format response_schema"
    " schema tools".split()
)
"""Members whose inside is JSON that is read as text, whatever it looks like."""
OPAQUE_CALL = OPAQUE | {"input"}
CALLS = frozenset({"tool_use", "server_tool_use", "mcp_tool_use"})
"""Anthropic's calls of tools: their `input` is such JSON too."""
PAGES = frozenset({"image"})
KINDS = {"audio": frozenset({"audio"}), "video": frozenset({"video", "audio"}), "text": frozenset()}
"""What a medium is made of; any other, and a document, of pictures."""
EVERY_KIND = frozenset({"audio", "image", "video"})
LONG = frozenset({"1h", "24h"})


class Prompt:
    """What was found: `taken` bytes are no text; `added` tokens stand for media; `kinds` are priced apart.

    `window`: something has no bound but the model's context window; `kept`: it is the provider's own, of any kind.
    `cache` is "short" or "long" where the request asks for caching.
    """

    __slots__ = ("added", "cache", "image_tokens", "kept", "kinds", "taken", "window")

    def __init__(self, dialect: str) -> None:
        self.image_tokens = IMAGE_TOKENS_OF.get(dialect, IMAGE_TOKENS)
        self.taken = self.added = 0
        self.kinds: set[str] = set()
        self.window = self.kept = False
        # Anthropic caches what it is asked to, others what they like.
        self.cache = "" if dialect == "anthropic" else "short"

    def read(self, document: Mapping[str, Any]) -> Prompt:
        """Look through a request."""
        self.kept = not CONTEXT.isdisjoint(document) and any(document.get(name) for name in CONTEXT)
        for name, brings in (("prompt", "id"), ("container", "skills")):
            kept = document.get(name)
            if type(kept) is dict and kept.get(brings):
                self.kept = True
        tools = document.get("tools")
        if type(tools) is list:
            self._walk([{"cache_control": tool.get("cache_control")} for tool in tools if type(tool) is dict])
        self._walk(document)
        return self

    def tokens(self, body_bytes: int, window: int) -> int:
        """The whole prompt. Media and what the provider keeps have room in the model's window at most."""
        media = window if self.window or self.kept else min(self.added, window)
        return body_bytes - self.taken + media

    def every_kind(self) -> frozenset[str]:
        """The kinds of media that there may be."""
        return EVERY_KIND if self.kept else frozenset(self.kinds)

    def _walk(self, document: Any) -> None:
        rooms = [document]
        while rooms:
            room = rooms.pop()
            if type(room) is list:
                rooms += [item for item in room if _has_rooms(item)]
                continue
            if not MARKS.isdisjoint(room):
                self._look(room)
            kind = room.get("type")
            if kind == "item_reference":
                self.kept = True
            closed = OPAQUE_CALL if type(kind) is str and kind in CALLS else OPAQUE
            rooms += [
                item for name, item in room.items() if (type(item) is dict or type(item) is list) and name not in closed
            ]

    def _look(self, room: dict[str, Any]) -> None:
        kind = room.get("type")
        for name, value in room.items():
            if name == "cache_control" and type(value) is dict:
                self.cache = self.cache or "short"
            elif name in ("ttl", "prompt_cache_retention"):
                self.cache = "long" if type(value) is str and value in LONG else self.cache
            elif name == "result" and kind == "image_generation_call" and type(value) is str:
                self._inline("image", value)
            elif name == "file_id" and type(kind) is str and kind in FILES and value:
                self._reference(FILES[kind])
            elif name in CARRIERS and value:
                self._carry(CARRIERS[name], name, value)

    def _carry(self, kind: str, name: str, value: Any) -> None:
        """A member that carries media: an address or the data itself, as text or within an object."""
        if type(value) is str:
            if name == "source":
                return
            self._text(kind, value, data=name == "file_data")
        elif type(value) is dict:
            named = value.get("mimeType") or value.get("mime_type") or value.get("media_type")
            kind = _kind(named) if type(named) is str else kind
            data = value.get("data") or value.get("file_data")
            address = value.get("url") or value.get("uri") or value.get("fileUri") or value.get("file_uri")
            if type(data) is str and value.get("type") != "text":
                self._text(kind, data, data=True)
            elif type(address) is str:
                self._text(kind, address, data=False)
            elif value.get("file_id"):
                self._reference(kind)

    def _text(self, kind: str, text: str, *, data: bool) -> None:
        if text.startswith("data:"):
            self._inline(_kind(text[5:64]), text)
        elif data:
            self._inline(kind, text)
        else:
            self._reference(kind)

    def _inline(self, kind: str, data: str) -> None:
        if kind == "image":
            self.taken += len(data)
            self.added += self.image_tokens
        elif kind == "video":
            self.added += VIDEO_TOKENS
        elif kind not in ("audio", "text"):
            self.window = True
        self.kinds |= KINDS.get(kind, PAGES)

    def _reference(self, kind: str) -> None:
        if kind == "image":
            self.added += self.image_tokens
        else:
            self.window = True
        self.kinds |= KINDS.get(kind, PAGES)


def _has_rooms(item: Any) -> bool:
    """Whether there may be media in an item of a list. In a plain message there is none, and most are plain."""
    if type(item) is dict:
        return not (len(item) == 2 and "role" in item and type(item.get("content")) is str)
    return type(item) is list


def _kind(mime: str) -> str:
    return mime.partition("/")[0].lower() if "/" in mime else ""
