"""The pipe: replies in order however they are cut up, and patience that a late loop of our own does not use up."""

from __future__ import annotations

import asyncio
import contextlib
import select
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import pytest
import uvloop
from hypothesis import given
from hypothesis import strategies as st

from metering.gateway.redis_address import RedisAddress, read_url
from metering.gateway.redis_pipe import Pipe, RedisRefused, Script, command, connect
from tests.upstreams.redis import RedisServer


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    yield server
    server.kill()


def run(server: RedisServer, test: Callable[[Pipe], Awaitable[None]], patience: float = 30) -> None:
    async def whole() -> None:
        async with piping(server, patience) as pipe:
            await test(pipe)

    uvloop.run(whole())


@contextlib.asynccontextmanager
async def piping(server: RedisServer, patience: float) -> AsyncIterator[Pipe]:
    pipe = await connect(read_url(server.url), patience)
    try:
        yield pipe
    finally:
        pipe.end("the test is over")
        await asyncio.sleep(0)


def test_replies_come_in_the_order_of_the_commands(server: RedisServer) -> None:
    async def test(pipe: Pipe) -> None:
        lines: list[bytes | None] = []
        for number in range(5_000):
            pipe.send(command(b"INCRBY", b"order", b"1"), lines.append)
            if number % 100 == 0:
                await asyncio.sleep(0)
        assert await pipe.ask(command(b"GET", b"order")) == b"5000"
        assert lines == [b":%d" % number for number in range(1, 5_001)]

    run(server, test)


def test_an_unknown_script_is_sent_in_full(server: RedisServer) -> None:
    async def test(pipe: Pipe) -> None:
        script = Script("return redis.call('INCR', KEYS[1]) + ARGV[1]")
        lines: list[bytes | None] = []
        for _ in range(3):
            pipe.evaluate(script, (b"1", b"sum", b"10"), lines.append)
        await pipe.ask(command(b"PING"))
        pipe.evaluate(script, (b"1", b"sum", b"10"), lines.append)
        await pipe.ask(command(b"PING"))
        assert lines == [b":11", b":12", b":13", b":14"]

    run(server, test)


def test_an_error_is_raised_or_told(server: RedisServer) -> None:
    async def test(pipe: Pipe) -> None:
        with pytest.raises(RedisRefused, match="unknown command"):
            await pipe.ask(command(b"NONSENSE"))
        lines: list[bytes | None] = []
        pipe.send(command(b"NONSENSE"), lines.append)
        await pipe.ask(command(b"PING"))
        assert lines[0] is not None
        assert lines[0].startswith(b"-ERR unknown command")

    run(server, test)


@given(st.lists(st.sampled_from([b":0", b":12", b"+OK", b"-ERR no", b"$5\r\nhello"]), max_size=20), st.data())
def test_any_split_of_the_bytes_gives_the_same_replies(replies: list[bytes], data: st.DataObject) -> None:
    async def test() -> None:
        pipe = Pipe(30)
        lines: list[bytes | None] = []
        for _ in replies:
            pipe.send(command(b"PING"), lines.append)
        rest = b"".join([reply + b"\r\n" for reply in replies])
        while rest:
            size = data.draw(st.integers(1, len(rest)))
            pipe.data_received(rest[:size])
            rest = rest[size:]
        assert lines == [reply.rpartition(b"\n")[2] for reply in replies]
        pipe.end("the test is over")

    asyncio.run(test())


def test_silence_ends_a_pipe_and_everyone_is_told(server: RedisServer) -> None:
    async def test(pipe: Pipe) -> None:
        server.stop()
        lines: list[bytes | None] = []
        for _ in range(3):
            pipe.send(command(b"PING"), lines.append)
        assert await pipe.ended == "it did not answer within 50 ms"
        pipe.send(command(b"PING"), lines.append)
        await asyncio.sleep(0)
        assert lines == [None] * 4
        with pytest.raises(RedisRefused, match="did not answer"):
            await pipe.ask(command(b"PING"))
        server.resume()

    run(server, test, patience=0.05)


def test_only_a_command_that_is_overdue_at_two_looks_is_given_up() -> None:
    async def test() -> None:
        pipe = Pipe(30)
        lines: list[bytes | None] = []
        pipe.send(command(b"PING"), lines.append)
        pipe._look()
        pipe.send(command(b"PING"), lines.append)
        pipe._look()
        assert not pipe.ended.done()
        pipe.data_received(b"+PONG\r\n")
        pipe._look()
        assert not pipe.ended.done()
        pipe._look()
        assert pipe.ended.done()
        await asyncio.sleep(0)
        assert lines == [b"+PONG", None]

    asyncio.run(test())


def test_who_stumbles_over_an_answer_takes_nobody_elses_away() -> None:
    async def test() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
        pipe = Pipe(30)
        lines: list[bytes | None] = []
        pipe.send(command(b"PING"), lines.remove)
        pipe.send(command(b"PING"), lines.append)
        pipe.end("the test is over")
        await asyncio.sleep(0)
        assert lines == [None]

    asyncio.run(test())


def test_a_late_loop_still_reads_what_has_come(server: RedisServer) -> None:
    async def test(pipe: Pipe) -> None:
        assert pipe.transport is not None
        for _ in range(5):
            reply = asyncio.ensure_future(pipe.ask(command(b"PING")))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            # Busy with something else for twice the patience, while the reply waits in the socket.
            select.select([pipe.transport.get_extra_info("socket").fileno()], [], [], 60)
            time.sleep(0.1)  # noqa: ASYNC251 - that is the point
            assert await reply == b"+PONG"

    run(server, test, patience=0.05)


def test_a_closed_connection_ends_a_pipe(server: RedisServer) -> None:
    async def test(pipe: Pipe) -> None:
        lines: list[bytes | None] = []
        pipe.send(command(b"QUIT"), lines.append)
        await pipe.ended
        assert lines == [b"+OK"]
        assert "closed the connection" in pipe.ended.result()

    run(server, test)


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("redis://cache:7000/2", RedisAddress("cache", 7000, database=2)),
        ("redis://:p%40ss@cache", RedisAddress("cache", 6379, password="p@ss")),
        ("redis://me:secret@[::1]:1/?db=5", RedisAddress("::1", 1, username="me", password="secret", database=5)),
        ("unix:///run/my%20redis.sock?db=3", RedisAddress(socket="/run/my redis.sock", database=3)),
        ("unix:///r.sock?username=me&password=a%2Bb", RedisAddress(socket="/r.sock", username="me", password="a+b")),
    ],
)
def test_a_url_says_where_redis_is(url: str, address: RedisAddress) -> None:
    assert read_url(url) == address


def test_tls_is_verified_unless_the_url_says_otherwise() -> None:
    strict, lax = read_url("rediss://cache").tls, read_url("rediss://cache?ssl_cert_reqs=none").tls
    assert strict is not None
    assert strict.check_hostname
    assert lax is not None
    assert not lax.check_hostname
    assert read_url("redis://cache").tls is None
    with pytest.raises(OSError, match="No such file"):
        read_url("rediss://cache?ssl_ca_certs=/nowhere.pem")


@pytest.mark.parametrize("url", ["http://cache", "cache:6379", "", "redis://cache/first", "redis://cache:port"])
def test_another_url_is_refused(url: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the port's is the standard library's
        read_url(url)
