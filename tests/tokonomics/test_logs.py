from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokonomics.logs import redact

TOKEN_CHARACTERS = st.text("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_", min_size=16, max_size=64)
PROGRAM = """
import logging, logging.config, sys, structlog
from tokonomics.logs import logging_settings
logging.config.dictConfig(logging_settings(sys.argv[1], "INFO"))
structlog.get_logger("meter").debug("too much")
logging.getLogger("library").warning("connecting to %s", "redis://:hunter2@cache/0")
try:
    raise ValueError("bad key sk-0123456789abcdef")
except ValueError:
    structlog.get_logger("meter").exception("refused", authorization="Bearer 0123456789abcdef", workspace="acme")
"""


def lines_of(style: str) -> list[str]:
    """What a process of its own logs in a style."""
    words = [sys.executable, "-c", PROGRAM, style]
    done = subprocess.run(words, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True)
    assert done.stdout == ""
    return done.stderr.splitlines()


@given(TOKEN_CHARACTERS, st.sampled_from(["sk-", "sk-ant-api03-", "mk_", "tk_", "gsk_", "xai-", "whsec_", "Bearer "]))
def test_no_key_is_left_in_a_text(secret: str, prefix: str) -> None:
    assert secret not in redact(f'called with "{prefix}{secret}", answered 200')


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("GET /v1beta/models?key=AIzaSyA-1&alt=sse", "GET /v1beta/models?key=[redacted]&alt=sse"),
        ("postgresql://ann:hunter2@db/meter", "postgresql://[redacted]@db/meter"),
        ('{"authorization": "Bearer abc.def", "n": 1}', '{"authorization": "Bearer [redacted]", "n": 1}'),
        ("key mk_0123456789 revoked", "key mk[redacted] revoked"),
    ],
)
def test_what_is_around_a_secret_stays(text: str, redacted: str) -> None:
    assert redact(text) == redacted


@pytest.mark.parametrize("text", ["task-force asked for a desk_lamp", "http://example.com/a:b@c", "12:30 sky-blue"])
def test_plain_words_stay(text: str) -> None:
    assert redact(text) == text


def test_a_log_for_machines_has_one_object_a_line() -> None:
    warning, error = (json.loads(line) for line in lines_of("json"))
    assert (warning["level"], warning["logger"]) == ("warning", "library")
    assert warning["event"] == "connecting to redis://[redacted]@cache/0"
    assert (error["event"], error["workspace"]) == ("refused", "acme")
    assert error["authorization"] == "Bearer [redacted]"
    assert error["exception"].endswith("ValueError: bad key sk[redacted]")


def test_a_log_for_people_is_redacted_too() -> None:
    written = "\n".join(lines_of("console"))
    assert "refused" in written
    assert "bad key sk[redacted]" in written
    assert "0123456789abcdef" not in written
    assert "hunter2" not in written


def test_nothing_below_the_level_is_written() -> None:
    assert "too much" not in "".join(lines_of("json"))
