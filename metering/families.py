"""How many tokens a text is, by the family of models that reads it. Pure, and for estimates only."""

from __future__ import annotations

import re
from dataclasses import dataclass

from metering import encodings

OLDER = re.compile(r"gpt-4(?!o|\.\d)|gpt-3|text-embedding|davinci|babbage")
"""OpenAI's models that read cl100k_base; all others read o200k_base."""
OPENAI = re.compile(r"(?:ft:)?(?:gpt-|chatgpt-|o\d(?:-|$)|text-embedding-|davinci|babbage|codex|computer-use)")
MAKERS = re.compile(r"^(?:[a-z]{2,6}\.)?(?:openai|anthropic|google)[./]|^models/")
"""What resellers put before a model's own name: `openai/gpt-5`, `us.anthropic.claude-…`."""


@dataclass(frozen=True, slots=True)
class Family:
    """How a maker's models are counted: by an encoding, or by tenths of a character a token.

    `latin` is for ASCII; `alphabet` for letters of two bytes in UTF-8, such as Greek, Cyrillic and Arabic, and accented
    ones; `ideograph` for those of three and four, such as Chinese, Japanese, Hindi and emoji.
    """

    encoding: str = ""
    latin: int = 40
    alphabet: int = 25
    ideograph: int = 12


# Claude: 3.4 characters a token in recorded answers; Gemini: "about 4 characters" (Google's page on tokens).
CLAUDE = Family(latin=34, alphabet=20, ideograph=9)
GEMINI = Family(latin=40, alphabet=27, ideograph=13)
OTHERS = Family(latin=37, alphabet=24, ideograph=11)


def family(model: str) -> Family:
    """How to count for a model, by its name."""
    name = MAKERS.sub("", model.lower())
    if OPENAI.match(name):
        return Family("cl100k_base" if OLDER.match(name.removeprefix("ft:")) else "o200k_base")
    if "claude" in name:
        return CLAUDE
    return GEMINI if name.startswith(("gemini", "gemma", "learnlm")) else OTHERS


def tokens_of(kind: Family, text: str) -> int:
    """The tokens of a text. Raises `encodings.NoEncoding`."""
    if kind.encoding:
        return encodings.count(kind.encoding, text)
    data = text.encode(errors="replace")
    latin = len(data.translate(None, NOT_ASCII))
    ideographs = len(data) - len(data.translate(None, LONG_LEADS))
    alphabet = len(text) - latin - ideographs
    tenths = ((latin, kind.latin), (alphabet, kind.alphabet), (ideographs, kind.ideograph))
    return sum(-(-characters * 10 // size) for characters, size in tenths)


NOT_ASCII = bytes(range(0x80, 0x100))
LONG_LEADS = bytes(range(0xE0, 0x100))
"""First bytes of characters of three and four bytes in UTF-8."""
