from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metering.providers.injection import ask_for_usage, limit_output, reports_usage_alone

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


def test_a_body_that_only_a_faster_parser_reads_is_asked_as_well() -> None:
    deep = b'{"a":' + b"[" * 1000 + b"]" * 1000 + b',"stream":true,"stream_options":{}}'
    asked, hidden = ask_for_usage(deep, {"stream": True, "stream_options": {}})
    assert (asked, hidden) == (deep.replace(b":{}", b":{" + ON[18:-1].encode() + b"}"), True)


MAX = ("max_tokens",)
GEMINI = ("generationConfig", "maxOutputTokens")
CANDIDATES = ("generationConfig", "candidateCount")


@pytest.mark.parametrize(
    ("before", "limits", "after"),
    [
        ('{"model":"m"}', [(MAX, 16)], '{"max_tokens":16,"model":"m"}'),
        ('{"model":"m","max_tokens": null}', [(MAX, 16)], '{"model":"m","max_tokens": 16}'),
        ('{"max_tokens":"many","n":0}', [(MAX, 16), (("n",), 1)], '{"max_tokens":16,"n":1}'),
        ('{"contents":[]}', [(GEMINI, 16)], '{"generationConfig":{"maxOutputTokens":16},"contents":[]}'),
        ('{"generationConfig":null}', [(GEMINI, 16)], '{"generationConfig":{"maxOutputTokens":16}}'),
        ('{"generationConfig": {}}', [(GEMINI, 16)], '{"generationConfig": {"maxOutputTokens":16}}'),
        ('{"generationConfig":{"temperature":0}}', [(GEMINI, 16)],
         '{"generationConfig":{"maxOutputTokens":16,"temperature":0}}'),
        ('{"generationConfig":{"maxOutputTokens":1e9}}', [(GEMINI, 16)],
         '{"generationConfig":{"maxOutputTokens":16}}'),
        ('{"a":1}', [(GEMINI, 16), (CANDIDATES, 1)],
         '{"generationConfig":{"candidateCount":1,"maxOutputTokens":16},"a":1}'),
        ('{"tools":[{"name":"f"},{"type":"web_search_20250305"}]}', [(("tools", 1, "max_uses"), 10)],
         '{"tools":[{"name":"f"},{"max_uses":10,"type":"web_search_20250305"}]}'),
    ],
)  # fmt: skip
def test_limits_are_set_with_the_fewest_bytes(before: str, limits: Any, after: str) -> None:
    assert limit_output(before.encode(), json.loads(before), limits).decode() == after


def test_a_limit_comes_beside_what_asks_for_usage() -> None:
    document = {"model": "m", "stream": True}
    body, _ = ask_for_usage(b'{"model":"m","stream":true}', document)
    assert json.loads(limit_output(body, document, [(MAX, 16)])) == document | {
        "stream_options": {"include_usage": True},
        "max_tokens": 16,
    }


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
