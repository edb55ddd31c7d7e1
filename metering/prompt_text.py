"""What of a request a model reads: its texts, how many media it carries, and how many messages. Pure."""

from __future__ import annotations

from typing import Any

import orjson

NO_TEXT = frozenset(
    "b64_json cache_control call_id data encrypted_content file_id id mime_type mimeType media_type role signature"
    " status thoughtSignature tool_call_id tool_use_id type".split()
)
"""Members of a prompt whose strings the model does not read."""
SETTINGS = frozenset(
    "background conversation container encoding_format generationConfig include logit_bias logprobs metadata modalities"
    " model prediction previous_response_id prompt_cache_key prompt_cache_retention reasoning reasoning_effort"
    " safetySettings safety_identifier service_tier speed stop stop_sequences store stream stream_options thinking"
    " tool_choice toolConfig truncation user verbosity".split()
)
"""Members of a request that are no prompt."""
STRUCTURED = frozenset("tools functions response_format json_schema schema input_schema parameters arguments".split())
"""Members that the model reads with their brackets and names."""
MEDIA = frozenset(
    "image_url input_image image input_audio audio_url video_url file input_file document inlineData inline_data"
    " fileData file_data".split()
)
"""Names of members and types of parts that carry media."""


class Prompt:
    """The texts of a request, how many media it carries, and how many messages."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.media = 0
        self.messages = 0

    def read(self, document: Any) -> None:
        """Look through it, without recursion: a request may be nested as deep as it likes."""
        rooms = [document]
        while rooms:
            room = rooms.pop()
            if type(room) is str:
                self._text(room)
            elif type(room) is list:
                rooms += reversed(room)
            elif type(room) is dict:
                self.messages += "role" in room
                kind = room.get("type")
                if type(kind) is str and kind in MEDIA and "text" not in room:
                    self.media += 1
                    continue
                rooms += reversed([self._member(name, value) for name, value in room.items() if name not in NO_TEXT])

    def _member(self, name: str, value: Any) -> Any:
        """What of a member is still to be looked through."""
        if name in MEDIA and value:
            self.media += 1
            return None
        if name in STRUCTURED and type(value) in (dict, list):
            try:
                self.texts.append(orjson.dumps(value).decode())
            except TypeError:  # numbers beyond 64 bits, or nested without end: then its texts alone
                return list(value.values()) if type(value) is dict else value
            return None
        return value

    def _text(self, text: str) -> None:
        if text.startswith("data:"):
            self.media += 1
        elif text:
            self.texts.append(text)
