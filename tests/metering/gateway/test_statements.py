"""Statements in libpq's own words, against a real PostgreSQL."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.pq.abc import PGconn

from metering.gateway.statements import Row, array, ask, ask_prepared, prepare, quoted
from tests.metering.gateway.test_directory import parameters

ITEMS = b"SELECT item FROM unnest($1::text[]) item"

pytestmark = pytest.mark.django_db(transaction=True)


def run(test: Callable[[PGconn], Awaitable[list[Row]]]) -> list[Row]:
    async def whole() -> list[Row]:
        async with await psycopg.AsyncConnection.connect(**parameters(), autocommit=True) as connection:
            return await test(connection.pgconn)

    return asyncio.run(whole())


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0"))))
def test_items_arrive_as_they_were(items: list[str]) -> None:
    rows = run(lambda pgconn: ask(pgconn, ITEMS, [array(map(quoted, items))]))
    assert rows == [[item.encode()] for item in items]


def test_json_arrives_as_it_was() -> None:
    document = json.dumps({"key_name": 'a "b" \\ {c,d}', "tags": {"client": "é\n"}})
    asked = b"SELECT item->>'key_name', item->'tags'->>'client', NULL FROM unnest($1::jsonb[]) item"
    rows = run(lambda pgconn: ask(pgconn, asked, [array([quoted(document)])]))
    assert rows == [[b'a "b" \\ {c,d}', "é\n".encode(), None]]


def test_a_prepared_statement_is_asked_again_and_again() -> None:
    async def test(pgconn: PGconn) -> list[Row]:
        await prepare(pgconn, b"double", b"SELECT 2 * $1::int")
        return [row for number in range(3) for row in await ask_prepared(pgconn, b"double", [b"%d" % number])]

    assert run(test) == [[b"0"], [b"2"], [b"4"]]


def test_more_than_the_socket_takes_at_once() -> None:
    text = b"x" * 30_000_000
    assert run(lambda pgconn: ask(pgconn, b"SELECT length($1::text), $1", [text])) == [[b"30000000", text]]


def test_an_error_is_raised_and_the_connection_goes_on() -> None:
    async def test(pgconn: PGconn) -> list[Row]:
        with pytest.raises(psycopg.errors.DivisionByZero):
            await ask(pgconn, b"SELECT 1 / $1::int", [b"0"])
        with pytest.raises(psycopg.errors.UndefinedTable):
            await prepare(pgconn, b"wrong", b"SELECT * FROM nowhere")
        return await ask(pgconn, b"SELECT 1", [])

    assert run(test) == [[b"1"]]


def test_a_server_that_ends_is_an_error() -> None:
    async def test(pgconn: PGconn) -> list[Row]:
        with pytest.raises(psycopg.OperationalError):
            await ask(pgconn, b"SELECT pg_terminate_backend(pg_backend_pid())", [])
        with pytest.raises(psycopg.OperationalError):
            await ask(pgconn, b"SELECT 1", [])
        return []

    run(test)
