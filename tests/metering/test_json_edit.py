from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metering.json_edit import set_value


def changed(text: str, *path: str | int, value: str = "7") -> str:
    return set_value(text.encode(), json.loads(text), path, value.encode()).decode()


@pytest.mark.parametrize(
    ("before", "path", "after"),
    [
        ("{}", ("a",), '{"a":7}'),
        (" { } ", ("a",), ' {"a":7 } '),
        ('{ "b" : 1 }', ("a",), '{"a":7, "b" : 1 }'),
        ('{"a":null}', ("a",), '{"a":7}'),
        ('{"a" : -1.5e3 ,"b":2}', ("a",), '{"a" : 7 ,"b":2}'),
        ('{"a":"a \\" } ,","b":[{"a":1}]}', ("a",), '{"a":7,"b":[{"a":1}]}'),
        ('{"b":[{"a":1}],"a":[1,{"x":"]"}]}', ("a",), '{"b":[{"a":1}],"a":7}'),
        ('{"a":1,"b":"ö€","a":2}', ("a",), '{"a":1,"b":"ö€","a":7}'),
        ('{"\\u0061":1}', ("a",), '{"\\u0061":7}'),
        ('{"ö":1}', ("ö",), '{"ö":7}'),
        ('{"b":1}', ("a", "c"), '{"a":{"c":7},"b":1}'),
        ('{"a":null}', ("a", "c"), '{"a":{"c":7}}'),
        ('{"a":3,"b":1}', ("a", "c"), '{"a":{"c":7},"b":1}'),
        ('{"a":[{"c":1}],"b":1}', ("a", "c"), '{"a":{"c":7},"b":1}'),
        ('{"a": { } }', ("a", "c"), '{"a": {"c":7 } }'),
        ('{"a":{"d":1}}', ("a", "c"), '{"a":{"c":7,"d":1}}'),
        ('{"a":{"d":1,"c":[2]}}', ("a", "c"), '{"a":{"d":1,"c":7}}'),
        ('{"c":1,"a":{"b":{"c":2}}}', ("a", "b", "c"), '{"c":1,"a":{"b":{"c":7}}}'),
        ('{"a":[ 1 , {"c" : 2}]}', ("a", 0), '{"a":[ 7 , {"c" : 2}]}'),
        ('{"a":[ 1 , {"c" : 2}]}', ("a", 1, "c"), '{"a":[ 1 , {"c" : 7}]}'),
        ('{"a":[ {},{ "b":"[" }]}', ("a", 1, "c"), '{"a":[ {},{"c":7, "b":"[" }]}'),
    ],
)  # fmt: skip
def test_one_value_changes_and_no_other_byte(before: str, path: tuple[str | int, ...], after: str) -> None:
    assert changed(before, *path) == after


def test_depth_is_no_obstacle() -> None:
    deep = b'{"a":' + b"[" * 5000 + b'"]"' + b"]" * 5000 + b',"b":{"c":1}}'
    edited = set_value(deep, {"a": [], "b": {"c": 1}}, ("b", "c"), b"2")
    assert edited == deep.replace(b'"c":1', b'"c":2')


def test_a_place_that_is_not_there_is_an_error() -> None:
    with pytest.raises(IndexError):
        changed('{"a":[1]}', "a", 1)


TEXT = st.text('"{}[]\\:, sü€\u2028', max_size=4)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(TEXT | st.just("a"), JSON, max_size=4)


def wanted(node: Any, path: tuple[str, ...]) -> Any:
    if not path:
        return 7
    members = node if isinstance(node, dict) else {}
    return members | {path[0]: wanted(members.get(path[0]), path[1:])}


@given(OBJECTS, st.lists(st.just("a") | TEXT, min_size=1, max_size=3), st.booleans(), st.sampled_from([None, 2]))
def test_the_document_has_that_value_and_is_the_same_otherwise(
    document: dict[str, Any], steps: list[str], ascii_only: bool, indent: int | None
) -> None:
    path = tuple(steps)
    text = json.dumps(document, ensure_ascii=ascii_only, indent=indent)
    edited = set_value(text.encode(), document, path, b"7")
    assert json.loads(edited) == wanted(document, path)
