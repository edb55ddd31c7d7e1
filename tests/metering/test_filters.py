from __future__ import annotations

from datetime import date
from uuid import UUID

import pytest
from django.http import QueryDict
from hypothesis import given
from hypothesis import strategies as st

from metering import filters, periods
from metering.filters import EventFilter, InvalidFilter

TODAY = date(2026, 6, 23)
MONTH = periods.preset("month", TODAY)
KEY = UUID("01990000-0000-7000-8000-000000000001")
names = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs", "Cc", "Zs", "Zl", "Zp"]), max_size=40)


def read(query: str) -> EventFilter:
    return filters.read(dict(QueryDict(query).lists()), TODAY)


def errors(query: str) -> dict[str, str]:
    with pytest.raises(InvalidFilter) as caught:
        read(query)
    return caught.value.errors


def test_nothing_selects_this_month() -> None:
    assert read("") == EventFilter(MONTH)
    assert not read("").narrowed


def test_every_limit() -> None:
    query = f"client=acme&provider=openai&model=gpt-4.1&key={KEY}&status=ok&only=estimated&tag.env=live&tag.project=a"
    assert read(query) == EventFilter(
        MONTH,
        client="acme",
        provider="openai",
        model="gpt-4.1",
        key=KEY,
        status="ok",
        only="estimated",
        tags=(("env", "live"), ("project", "a")),
    )


def test_unattributed_is_the_empty_client() -> None:
    assert read("unattributed=1").client == ""
    assert read("client=").client is None


def test_several_values_of_a_tag() -> None:
    assert read("tag.env=a&tag.env=b&tag.env=a").tags == (("env", "a"), ("env", "b"))


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("client=a&unattributed=1", {"client": "Choose a client or the unattributed calls, not both."}),
        ("unattributed=maybe", {"unattributed": "Give 1 or leave it out."}),
        ("key=mk_123", {"key": "Give a key's id, as the Keys page and the API show it."}),
        ("status=200", {"status": "Choose one of ok, aborted, provider_error, not_dispatched."}),
        ("only=cheap", {"only": "Choose one of unpriced, estimated."}),
        ("model=a&model=b", {"model": "Give it once."}),
        ("model=a%00b", {"model": "It holds a character that no name has."}),
        (f"client={'x' * 257}", {"client": "Use at most 256 characters."}),
        (
            "tag.1st=a",
            {"tag.1st": "A tag's name is a letter, then at most 63 letters, digits, dots, dashes or underscores."},
        ),
        ("&".join(f"tag.t{number}=a" for number in range(11)), {"tags": "Filter by at most 10 tags."}),
    ],
)
def test_what_makes_no_sense(query: str, found: dict[str, str]) -> None:
    assert errors(query) == found


def test_all_errors_at_once() -> None:
    assert set(errors("period=year&status=odd&key=1")) == {"period", "status", "key"}


@given(
    client=st.one_of(st.none(), names), model=names, tags=st.lists(st.tuples(st.sampled_from("ab"), names), max_size=3)
)
def test_an_address_says_what_it_was_made_of(client: str | None, model: str, tags: list[tuple[str, str]]) -> None:
    chosen = EventFilter(MONTH, client=client, model=model, key=KEY, tags=tuple(dict.fromkeys(tags)))
    again = read(chosen.query())
    assert (again.client, again.model, again.key) == (client, model, KEY)
    assert sorted(again.tags) == sorted(chosen.tags)


def test_without_one_limit() -> None:
    chosen = read(f"client=a&key={KEY}&tag.env=x&tag.env=y")
    assert chosen.without("client").client is None
    assert chosen.without("key").key is None
    assert chosen.without("tags", ("env", "x")).tags == (("env", "y"),)


def test_unknown() -> None:
    assert filters.unknown({"client": 1, "tag.a": 1, "cursor": 1, "utm": 1}, "cursor") == ["utm"]
