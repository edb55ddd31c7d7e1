from __future__ import annotations

import pytest

from metering.families import CLAUDE, GEMINI, OTHERS, Family, family, tokens_of

O200K, CL100K = Family("o200k_base"), Family("cl100k_base")


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("gpt-4o-mini", O200K),
        ("gpt-5.2-2025-12-11", O200K),
        ("openai/gpt-4.1", O200K),
        ("o3", O200K),
        ("o4-mini-2025-04-16", O200K),
        ("ft:gpt-4o:acme::1", O200K),
        ("chatgpt-4o-latest", O200K),
        ("gpt-4-0613", CL100K),
        ("gpt-3.5-turbo", CL100K),
        ("ft:gpt-3.5-turbo:acme", CL100K),
        ("text-embedding-3-small", CL100K),
        ("claude-sonnet-4-5", CLAUDE),
        ("us.anthropic.claude-3-haiku-20240307-v1:0", CLAUDE),
        ("anthropic/claude-opus-4", CLAUDE),
        ("models/gemini-2.5-flash", GEMINI),
        ("google/gemma-3-27b-it", GEMINI),
        ("mistral-large-latest", OTHERS),
        ("openhermes", OTHERS),
        ("", OTHERS),
    ],
)
def test_a_model_is_counted_as_its_makers(model: str, expected: Family) -> None:
    assert family(model) == expected


@pytest.mark.parametrize(
    ("text", "claude", "gemini", "other"),
    [
        ("", 0, 0, 0),
        ("a", 1, 1, 1),
        ("a" * 340, 100, 85, 92),
        ("ж" * 200, 100, 75, 84),
        ("語" * 90, 100, 70, 82),
        ("👍" * 9, 10, 7, 9),
        ("a" * 34 + "é" * 20 + "語" * 9, 30, 24, 28),
    ],
)
def test_other_families_are_counted_by_characters_of_each_script(
    text: str, claude: int, gemini: int, other: int
) -> None:
    assert [tokens_of(kind, text) for kind in (CLAUDE, GEMINI, OTHERS)] == [claude, gemini, other]
