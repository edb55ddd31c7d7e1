"""Statements on a connection of psycopg's in libpq's own words: values as text, and no cursor.

A cursor takes three times the processor time for the few numbers that a capped call is about: it adapts each value, and
waits in coroutines of its own. And it waits for seconds more to cancel what is overdue. Here whoever is tired of
waiting just hangs up.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from psycopg import OperationalError, pq
from psycopg.errors import error_from_result

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from psycopg.pq.abc import PGconn, PGresult

Row = list[bytes | None]


async def prepare(pgconn: PGconn, name: bytes, statement: bytes) -> None:
    """Have the server prepare a statement, with parameters $1, $2 and so on. Raises psycopg.Error."""
    pgconn.send_prepare(name, statement)
    await _Answer(pgconn).complete()


async def ask_prepared(pgconn: PGconn, name: bytes, values: Sequence[bytes]) -> list[Row]:
    """The rows that a prepared statement gives, as text. Raises psycopg.Error.

    Nothing else may use the connection meanwhile; when this is cancelled, it is of no use any more.
    """
    pgconn.send_query_prepared(name, values)
    return await _Answer(pgconn).rows()


async def ask(pgconn: PGconn, statement: bytes, values: Sequence[bytes]) -> list[Row]:
    """As `ask_prepared`, of a statement that is asked seldom."""
    pgconn.send_query_params(statement, values)
    return await _Answer(pgconn).rows()


def array(items: Iterable[str]) -> bytes:
    """An array in PostgreSQL's text format, of items that need no quotes or are `quoted`."""
    return f"{{{','.join(items)}}}".encode()


def quoted(text: str) -> str:
    """An item of an array, whatever it holds."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


class _Answer:
    """What the server says to the statement that was sent last."""

    def __init__(self, pgconn: PGconn) -> None:
        self.pgconn = pgconn
        self.results: list[PGresult] = []
        self.loop = asyncio.get_running_loop()
        self.done: asyncio.Future[None] = self.loop.create_future()

    async def rows(self) -> list[Row]:
        """Those of the last result."""
        last = (await self.complete())[-1]
        return [[last.get_value(row, column) for column in range(last.nfields)] for row in range(last.ntuples)]

    async def complete(self) -> list[PGresult]:
        """All results; raises the first that is an error."""
        socket = self.pgconn.socket
        self.loop.add_reader(socket, self._read)
        try:
            if self.pgconn.flush():
                self.loop.add_writer(socket, self._write)
            await self.done
        finally:
            self.loop.remove_reader(socket)
            self.loop.remove_writer(socket)
        for result in self.results:
            if result.status == pq.ExecStatus.FATAL_ERROR:
                raise error_from_result(result)
        return self.results

    def _read(self) -> None:
        try:
            self.pgconn.consume_input()
            while not (self.done.done() or self.pgconn.is_busy()):
                result = self.pgconn.get_result()
                if result is None:
                    self.done.set_result(None)
                else:
                    self.results.append(result)
        except OperationalError as error:
            self._fail(error)

    def _write(self) -> None:
        try:
            if not self.pgconn.flush():
                self.loop.remove_writer(self.pgconn.socket)
        except OperationalError as error:
            self._fail(error)

    def _fail(self, error: OperationalError) -> None:
        if not self.done.done():
            self.done.set_exception(error)
