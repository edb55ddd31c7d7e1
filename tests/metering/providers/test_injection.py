from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metering.providers.injection import ask_for_usage, reports_usage_alone

ON = '"stream_options":{"include_usage":true}'


def ask(text: str) -> tuple[str, bool]:
    body, hidden = ask_for_usage(text.encode(), json.loads(text))
    return body.decode(), hidden


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('{"stream":true}', "{" + ON + ',"stream":true}'),
        (' {\n  "stream": true }', " {" + ON + ',\n  "stream": true }'),
        ('{"stream":true,"stream_options":null}', '{"stream":true,"stream_options":{"include_usage":true}}'),
        ('{"stream":true,"stream_options": {} }', '{"stream":true,"stream_options": {"include_usage":true} }'),
        ('{"stream_options":{"a":1},"stream":true}', '{"stream_options":{"include_usage":true,"a":1},"stream":true}'),
        ('{"stream":true,"stream_options":{"include_usage": false}}',
         '{"stream":true,"stream_options":{"include_usage": true}}'),
        ('{"stream":true,"stream_options":{"include_usage":null,"a":[]}}',
         '{"stream":true,"stream_options":{"include_usage":true,"a":[]}}'),
        ('{"stream":true,"a":{"stream_options":{}},"stream\\u005foptions":{ }}',
         '{"stream":true,"a":{"stream_options":{}},"stream\\u005foptions":{"include_usage":true }}'),
        ('{"stream_options":{"include_usage":true},"stream":true,"stream_options":{"include_usage":false}}',
         '{"stream_options":{"include_usage":true},"stream":true,"stream_options":{"include_usage":true}}'),
    ],
)  # fmt: skip
def test_usage_is_asked_for_with_the_fewest_bytes(before: str, after: str) -> None:
    assert ask(before) == (after, True)
    assert json.loads(after)["stream_options"]["include_usage"] is True


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        '{"stream":false}',
        '{"stream":"true"}',
        '{"stream":1}',
        '{"stream":true,"stream_options":{"include_usage":true}}',
        '{"stream":true,"stream_options":"all"}',
        '{"stream":true,"stream_options":[1]}',
        '{"stream":false,"stream_options":{"include_usage":false}}',
    ],
)
def test_what_needs_no_asking_is_untouched(text: str) -> None:
    assert ask(text) == (text, False)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text('"{}\\ sü€', max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text('"s', max_size=3), inner, max_size=3),
    max_leaves=5,
)
MEMBERS = st.dictionaries(st.text('"{ö', max_size=4) | st.just("messages"), JSON, max_size=4)
OPTIONS = st.fixed_dictionaries({}, optional={"include_usage": st.sampled_from([False, None, 0]), "a": JSON})


@given(MEMBERS, MEMBERS, OPTIONS | st.none() | st.just("absent"), st.booleans(), st.sampled_from([None, 2]))
def test_nothing_else_changes(
    first: dict[str, Any], last: dict[str, Any], options: Any, ascii_only: bool, indent: int | None
) -> None:
    document = first | {"stream": True} | ({} if options == "absent" else {"stream_options": options}) | last
    text = json.dumps(document, ensure_ascii=ascii_only, indent=indent)
    body, hidden = ask(text)
    wanted = document | {"stream_options": (document.get("stream_options") or {}) | {"include_usage": True}}
    assert hidden
    assert json.loads(body) == wanted


def test_a_body_that_only_a_faster_parser_reads_is_untouched() -> None:
    deep = b'{"a":' + b"[" * 1000 + b"]" * 1000 + b',"stream":true,"stream_options":{}}'
    assert ask_for_usage(deep, {"stream": True, "stream_options": {}}) == (deep, False)


@pytest.mark.parametrize(
    ("chunk", "hidden"),
    [
        ({"choices": [], "usage": {"prompt_tokens": 1}}, True),
        ({"choices": [], "usage": None}, False),
        ({"choices": []}, False),
        ({"choices": [], "prompt_filter_results": [{}]}, False),
        ({"choices": [{"delta": {}}], "usage": {"prompt_tokens": 1}}, False),
        ({"choices": None, "usage": {"prompt_tokens": 1}}, False),
        ({"usage": {"prompt_tokens": 1}}, False),
        ([], False),
        (None, False),
    ],
)
def test_the_extra_chunk_alone_is_known(chunk: Any, hidden: bool) -> None:
    assert reports_usage_alone(chunk) is hidden
