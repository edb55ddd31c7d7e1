from __future__ import annotations

import json
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metering.tags import InvalidTags, Tags, parse_tags

KEYS = st.from_regex(r"\A[A-Za-z][A-Za-z0-9_.-]{0,20}\Z")
VISIBLE = st.text(st.characters(categories=["L", "N", "P", "S", "Zs"], max_codepoint=0x24F), max_size=20)


@pytest.mark.parametrize("header", [None, b"", b"  ", b"{}", b" { } "])
def test_no_tags(header: bytes | None) -> None:
    assert parse_tags(header) == Tags({}, "")


def test_the_example_of_the_docs() -> None:
    header = b'{"client":"acme-corp","project":"chatbot","env":"production"}'
    values = {"client": "acme-corp", "project": "chatbot", "env": "production"}
    assert parse_tags(header) == Tags(values, "acme-corp")


@given(st.dictionaries(KEYS, VISIBLE, max_size=10))
def test_any_visible_text_is_kept(values: dict[str, str]) -> None:
    assert parse_tags(json.dumps(values).encode()).values == values
    assert parse_tags(json.dumps(values, ensure_ascii=False).encode()).values == values


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("1", "1"),
        ("-0", "-0"),
        ("1.50", "1.50"),
        ("1e3", "1e3"),
        ("true", "true"),
        ("false", "false"),
        ("9" * 256, "9" * 256),
    ],
)
def test_a_number_or_boolean_is_kept_as_its_json_text(written: str, kept: str) -> None:
    assert parse_tags(b'{"a":%b}' % written.encode()).values == {"a": kept}


@pytest.mark.parametrize(
    ("header", "problem"),
    [
        (b"null", "not an object"),
        (b"[]", "not an object"),
        (b'"a"', "not an object"),
        (b"1", "not an object"),
        (b"true", "not an object"),
        (b"{", "not one JSON object"),
        (b'{"a":1},{"b":1}', "not one JSON object"),
        (b"{'a':1}", "not one JSON object"),
        (b'{"a":1,}', "not one JSON object"),
        (b'\xef\xbb\xbf{"a":"b"}', "not one JSON object"),
        (b"[" * 4000, "not one JSON object"),
        (b'{"a":' * 500, "not one JSON object"),
        (b'{"client":"a","client":"b"}', "'client' stands there twice"),
        (b'{"client":"a","cli\\u0065nt":"b"}', "'client' stands there twice"),
        (b'{"a":null}', "string, a number or a boolean"),
        (b'{"a":[]}', "string, a number or a boolean"),
        (b'{"a":{}}', "string, a number or a boolean"),
        (b'{"a":{"b":{"c":1}}}', "string, a number or a boolean"),
        (b'{"a":NaN}', "NaN is not a JSON value"),
        (b'{"a":-Infinity}', "-Infinity is not a JSON value"),
        (b'{"a":1e999}', "too large"),
        (b'{"a":' + b"9" * 3000 + b"}", "too large"),
        (b'{"a":' + b"9" * 300 + b"}", "300 characters"),
        (b'{"a":"' + b"x" * 257 + b'"}', "257 characters"),
        (b'{"a":"\\u0000"}', "control or invisible"),
        (b'{"a":"\\ud800"}', "control or invisible"),
        (b'{"a":"\\u001b[31m"}', "control or invisible"),
        (b'{"a":"x\\r\\ny"}', "control or invisible"),
        (b'{"a":"\\u202e"}', "control or invisible"),
        (b'{"a":"\\u200b"}', "control or invisible"),
        (b'{"a":"\\u2028"}', "control or invisible"),
        (b'{"a":"\\u0085"}', "control or invisible"),
        (b'{"a":"\x01"}', "not one JSON object"),
        (b'{"":"x"}', "must be a letter"),
        (b'{" client ":"x"}', "must be a letter"),
        (b'{"__proto__":"x"}', "must be a letter"),
        (b'{"$where":"x"}', "must be a letter"),
        (b'{"a\'b":"x"}', "must be a letter"),
        (b'{"a\\n":"x"}', "must be a letter"),
        (b'{"\\u0000":"x"}', "must be a letter"),
        (b'{"\\ud800":"x"}', "must be a letter"),
        ('{"ä":"x"}'.encode(), "must be a letter"),
        (b'{"' + b"k" * 65 + b'":"x"}', "must be a letter"),
        ('{"a":"ä"}'.encode("latin-1"), "not UTF-8"),
        (b'{"a":"\xed\xa0\x80"}', "not UTF-8"),
        (b'{"a":"%b"}' % (b"x" * 4090), "4098 bytes"),
    ],
)
def test_anything_else_is_refused_with_a_word(header: bytes, problem: str) -> None:
    with pytest.raises(InvalidTags) as caught:
        parse_tags(header)
    refusal = caught.value
    assert problem in refusal.message
    assert refusal.message.startswith("X-Metering-Tags: ")
    assert (refusal.code, refusal.status) == ("invalid_tags", 400)
    assert refusal.body("openai").isascii()


@pytest.mark.parametrize("key", ["constructor", "tenant_id", "id", "client__regex", "a.b", "CLIENT", "k" * 64])
def test_a_key_is_opaque(key: str) -> None:
    assert parse_tags(b'{"%b":"x"}' % key.encode()) == Tags({key: "x"}, "")


@pytest.mark.parametrize(
    "value",
    [
        "<script>alert(1)</script>",
        '"><img src=x onerror=a()>',
        "{{7*7}}",
        "{% debug %}",
        "${7*7}",
        "javascript:1",
        "🎉",
    ],
)
def test_a_value_is_opaque(value: str) -> None:
    assert parse_tags(json.dumps({"a": value}).encode()).values == {"a": value}


def test_a_value_is_stored_composed() -> None:
    assert parse_tags('{"client":"Zoe\u0308"}'.encode()) == Tags({"client": "Zo\u00eb"}, "Zo\u00eb")


def test_the_client_is_named_without_the_spaces_around_it() -> None:
    assert parse_tags(b'{"client":" acme "}').client == "acme"
    assert parse_tags(b'{"client":"  "}').client == ""
    assert parse_tags(b'{"client":7}').client == "7"


def test_the_limits_themselves_are_allowed() -> None:
    assert len(parse_tags(json.dumps({f"k{number}": "v" for number in range(32)}).encode()).values) == 32
    assert parse_tags(b'{"a":"%b"}' % (b"x" * 256)).values == {"a": "x" * 256}
    assert parse_tags(b'{"a":%b}' % (b"9" * 256)).values == {"a": "9" * 256}
    assert parse_tags(b'{"a":"b"}'.ljust(4096)).values == {"a": "b"}
    with pytest.raises(InvalidTags, match="33 tags"):
        parse_tags(json.dumps({f"k{number}": "v" for number in range(33)}).encode())


def test_a_huge_header_costs_no_memory() -> None:
    header = b'{"a":"' + b"x" * 1_000_000 + b'"}'
    tracemalloc.start()
    with pytest.raises(InvalidTags):
        parse_tags(header)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100_000


@given(st.binary(max_size=100))
def test_any_bytes_are_tags_or_refused(header: bytes) -> None:
    try:
        tags = parse_tags(header)
    except InvalidTags:
        return
    assert all(isinstance(value, str) for value in tags.values.values())
