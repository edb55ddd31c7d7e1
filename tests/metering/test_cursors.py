from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import pytest
from django.core import signing
from hypothesis import given
from hypothesis import strategies as st

from metering import cursors
from metering.cursors import Cursor, InvalidCursor

moments = st.datetimes(datetime(2000, 1, 1), datetime(2199, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - bounds are naive


@given(moments, st.uuids(), st.booleans())
def test_a_cursor_comes_back_to_the_microsecond(moment: datetime, number: UUID, newer: bool) -> None:
    cursor = Cursor(moment, number, newer)
    assert cursors.decode(cursor.encode()) == cursor


@pytest.mark.parametrize("text", ["", "abc", "WzFd:1xyz:sig", "é"])
def test_what_is_no_cursor(text: str) -> None:
    with pytest.raises(InvalidCursor):
        cursors.decode(text)


def test_a_cursor_that_somebody_changed() -> None:
    text = Cursor(datetime(2026, 6, 23, tzinfo=UTC), UUID(int=7)).encode()
    with pytest.raises(InvalidCursor):
        cursors.decode(f"X{text[1:]}")


def test_a_signature_made_for_something_else() -> None:
    with pytest.raises(InvalidCursor):
        cursors.decode(signing.dumps([0, UUID(int=7).hex, 0], salt="other"))
