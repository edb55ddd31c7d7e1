"""The limiter against a real Redis that is emptied, frozen, killed and made read-only under it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import multiprocessing
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from multiprocessing.queues import SimpleQueue
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest
import uvloop
from hypothesis import given
from hypothesis import strategies as st

from metering.gateway import limits
from metering.gateway.limits import Limiter
from tests.upstreams.redis import RedisServer

KEY = "0198c0de-0000-7000-8000-00000000000a"
PATIENT = 30.0
"""Seconds to wait for Redis where a test is not about waiting: a busy machine must not decide it."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path)
    yield server
    server.kill()


@pytest.fixture(autouse=True)
def _soon_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "RETRY_SECONDS", 0.02)


@contextlib.asynccontextmanager
async def limiting(
    url: str, processes: int, patience: float = PATIENT, *, shared: bool = True
) -> AsyncIterator[Limiter]:
    """A limiter that is connected, unless it is not to be."""
    limiter = Limiter(url, processes, patience=patience)
    task = asyncio.create_task(limiter.run())
    try:
        if shared:
            await until(lambda: limiter.shared)
        yield limiter
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def until(condition: Callable[[], bool]) -> None:
    for _ in range(3_000):
        if condition():
            return
        await asyncio.sleep(0.01)
    pytest.fail("it did not happen within half a minute")


async def patiently_back(limiter: Limiter) -> None:
    """Wait until it has a connection that no busy machine can break."""
    limiter.patience = PATIENT

    def back() -> bool:
        if limiter.pipe is not None and limiter.pipe.patience < PATIENT:
            limiter.pipe.end("it was made in a hurry")
        return limiter.pipe is not None and not limiter.pipe.ended.done()

    await until(back)


async def ask(
    limiter: Limiter, times: int = 1, *, requests: int | None = None, per_minute: int | None = None, tokens: int = 0
) -> list[int]:
    """What so many calls at once are told."""
    told: list[int] = []
    for _ in range(times):
        limiter.admit(KEY, requests, per_minute, tokens, told.append)
    await until(lambda: len(told) == times)
    return told


def run(
    server: RedisServer, processes: int, test: Callable[[Limiter], Awaitable[None]], patience: float = PATIENT
) -> None:
    async def whole() -> None:
        async with limiting(server.url, processes, patience) as limiter:
            await test(limiter)

    uvloop.run(whole())


# with Redis


def test_a_minute_holds_as_many_calls_as_its_limit(server: RedisServer) -> None:
    async def test(limiter: Limiter) -> None:
        told = await ask(limiter, 30, requests=10)
        assert told[:10] == [0] * 10
        assert all(1 <= seconds <= 60 for seconds in told[10:])
        assert limiter.shared

    run(server, 4, test)


def test_a_refused_call_takes_nothing_of_either_limit(server: RedisServer) -> None:
    async def test(limiter: Limiter) -> None:
        assert await ask(limiter, requests=3, per_minute=100, tokens=90) == [0]
        assert 0 not in await ask(limiter, 5, requests=3, per_minute=100, tokens=20)
        assert await ask(limiter, 2, requests=3, per_minute=100, tokens=5) == [0, 0]
        assert 0 not in await ask(limiter, requests=3, per_minute=100, tokens=0)

    run(server, 4, test)


def test_a_call_of_more_tokens_than_a_minute_has_is_told_so_at_once() -> None:
    told: list[int] = []
    Limiter("redis://127.0.0.1:1", 2).admit(KEY, None, 100, 101, told.append)
    assert told == [60]


def test_a_key_without_limits_asks_nobody(server: RedisServer) -> None:
    async def test(limiter: Limiter) -> None:
        server.stop()
        told: list[int] = []
        for _ in range(3):
            limiter.admit(KEY, None, None, 1_000, told.append)
        limiter.spent(KEY, None, 500)
        assert told == [0, 0, 0]
        assert not limiter.pipe or not limiter.pipe.waiting
        assert not limiter.shares.windows
        server.resume()

    run(server, 1, test)


def test_tokens_are_corrected_both_ways(server: RedisServer) -> None:
    async def test(limiter: Limiter) -> None:
        assert await ask(limiter, per_minute=100, tokens=40) == [0]
        limiter.spent(KEY, 100, 50)
        assert 0 not in await ask(limiter, per_minute=100, tokens=11)
        limiter.spent(KEY, 100, -30, elapsed_ms=30_000)
        assert await ask(limiter, per_minute=100, tokens=40) == [0]
        assert 0 not in await ask(limiter, per_minute=100, tokens=1)

    run(server, 4, test)


def test_a_call_that_used_more_than_its_minute_is_not_refused_but_the_next_is(server: RedisServer) -> None:
    async def test(limiter: Limiter) -> None:
        limiter.spent(KEY, 100, 5_000)
        assert 0 not in await ask(limiter, per_minute=100, tokens=0)
        assert await ask(limiter, requests=1) == [0]

    run(server, 4, test)


ROUNDS = 20
CALLS = 25
LIMIT = 700


def _call_in_rounds(url: str, start: Barrier, admitted: SimpleQueue[int]) -> None:
    """One of several gateway processes: tells how many of its calls were let in."""

    async def whole() -> None:
        async with limiting(url, 4) as limiter:
            await asyncio.to_thread(start.wait, 60)
            rounds = [await ask(limiter, CALLS, requests=LIMIT, per_minute=1_000_000, tokens=10) for _ in range(ROUNDS)]
            assert limiter.shared
            admitted.put(sum(told.count(0) for told in rounds))

    uvloop.run(whole())


def test_four_processes_at_once_hold_one_limit(server: RedisServer) -> None:
    spawn = multiprocessing.get_context("spawn")
    start, admitted = spawn.Barrier(4), spawn.SimpleQueue()
    processes = [spawn.Process(target=_call_in_rounds, args=(server.url, start, admitted)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    assert [process.exitcode for process in processes] == [0] * 4
    counts = [admitted.get() for _ in processes]
    assert sum(counts) == LIMIT < 4 * ROUNDS * CALLS
    assert min(counts) > 0


# without Redis


def test_without_redis_each_process_holds_its_share(caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> None:
        async with limiting("redis://127.0.0.1:1", 4, shared=False) as limiter:
            await until(lambda: limiter.away)
            told = await ask(limiter, 5, requests=8)
            assert told[:2] == [0, 0]
            assert all(1 <= seconds <= 60 for seconds in told[2:])
            assert (await ask(limiter, 2, requests=3))[0] > 0  # what it let through counts for every limit
            assert len(caplog.messages) == 1
            assert caplog.messages[0].startswith("Redis is away, so each process holds its share of the rate limits: ")

    uvloop.run(test())


def test_a_share_is_at_least_one_call_of_any_size() -> None:
    limiter = Limiter("redis://127.0.0.1:1", 4)
    told: list[int] = []
    for tokens in (90, 1):
        limiter.admit(KEY, 3, 100, tokens, told.append)
    assert told[0] == 0
    assert told[1] > 0


def test_corrections_count_without_redis_too() -> None:
    limiter = Limiter("redis://127.0.0.1:1", 2)
    told: list[int] = []
    limiter.admit(KEY, None, 100, 40, told.append)
    limiter.spent(KEY, 100, 10)
    limiter.admit(KEY, None, 100, 1, told.append)
    limiter.spent(KEY, 100, -20, elapsed_ms=30_000)
    limiter.admit(KEY, None, 100, 20, told.append)
    assert told[0] == told[2] == 0
    assert told[1] > 0


def test_a_killed_redis_changes_nothing_for_a_single_process(server: RedisServer) -> None:
    async def test(limiter: Limiter) -> None:
        assert await ask(limiter, 6, requests=10) == [0] * 6
        server.kill()
        told = await ask(limiter, 6, requests=10)
        assert told.count(0) == 4
        await until(lambda: not limiter.shared)
        assert 0 not in await ask(limiter, 3, requests=10)

    run(server, 1, test)


def test_it_is_back_by_itself(server: RedisServer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "metering.gateway.limits")

    async def test(limiter: Limiter) -> None:
        server.kill()
        assert (await ask(limiter, 4, requests=8)).count(0) == 2
        await until(lambda: limiter.away)
        server.start()
        await until(lambda: limiter.shared)
        # Nothing is known of the minute any more: a little more passes, and then the limit holds again.
        assert (await ask(limiter, 20, requests=8)).count(0) == 8
        assert "Redis is back, so the rate limits hold over all processes again" in caplog.messages

    run(server, 4, test)


def test_an_emptied_redis_fails_no_call(server: RedisServer) -> None:
    async def test(limiter: Limiter) -> None:
        with server.client() as client:
            assert (await ask(limiter, 20, requests=10)).count(0) == 10
            client.flushall()
            client.script_flush()
            assert (await ask(limiter, 20, requests=10)).count(0) == 10
            assert limiter.shared

    run(server, 4, test)


def test_a_frozen_redis_costs_one_wait_and_is_owed_nothing_afterwards(server: RedisServer) -> None:
    async def test(limiter: Limiter) -> None:
        server.stop()
        told = await ask(limiter, 10, requests=8)
        assert told.count(0) == 2
        at_once: list[int] = []
        limiter.admit(KEY, 8, None, 0, at_once.append)
        assert len(at_once) == 1
        server.resume()
        await patiently_back(limiter)
        # None of the ten that it found in its socket has taken anything: nobody waited for them any more.
        assert (await ask(limiter, 20, requests=8)).count(0) == 8

    run(server, 4, test, patience=0.2)


def test_what_nobody_used_is_given_back_when_redis_returns(server: RedisServer) -> None:
    async def test(limiter: Limiter) -> None:
        assert await ask(limiter, per_minute=100, tokens=100) == [0]
        assert limiter.pipe is not None
        server.stop()
        limiter.pipe.end("it is frozen")
        await until(lambda: not limiter.shared)
        limiter.spent(KEY, 100, -90, elapsed_ms=30_000)
        server.resume()
        await until(lambda: limiter.shared)
        assert await ask(limiter, per_minute=100, tokens=90) == [0]
        assert not limiter.debts

    run(server, 4, test)


def test_what_was_on_its_way_when_the_connection_broke_is_given_back_too(server: RedisServer) -> None:
    async def test(limiter: Limiter) -> None:
        assert await ask(limiter, per_minute=100, tokens=100) == [0]
        assert limiter.pipe is not None
        limiter.spent(KEY, 100, -90, elapsed_ms=30_000)
        limiter.pipe.end("it broke before anything was sent")
        await until(lambda: not limiter.shared)
        await until(lambda: limiter.shared)
        assert await ask(limiter, per_minute=100, tokens=90) == [0]

    run(server, 4, test)


def test_a_redis_that_cannot_be_written_to_counts_as_away(server: RedisServer) -> None:
    async def test(limiter: Limiter) -> None:
        with server.client() as client:
            client.replicaof("127.0.0.1", 1)
            assert (await ask(limiter, 4, requests=8)).count(0) == 2
            await until(lambda: limiter.away)
            client.replicaof("NO", "ONE")
            await until(lambda: limiter.shared)
            assert (await ask(limiter, 10, requests=8)).count(0) == 8

    run(server, 4, test)


def test_a_password_and_a_database_are_used(server: RedisServer, caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> None:
        url = f"unix://:p%40ss@{server.engine.socket}?db=3"
        async with limiting(url, 4) as limiter:
            assert await ask(limiter, requests=5) == [0]
        with server.client(password="p@ss", db=3) as client:
            assert client.exists(f"tokonomics:limits:{KEY}")
        async with limiting(url.replace("p%40ss", "wrong"), 4, shared=False) as limiter:
            await until(lambda: limiter.away)
            assert (await ask(limiter, 4, requests=8)).count(0) == 2
        assert "WRONGPASS" in caplog.text

    with server.client() as client:
        client.config_set("requirepass", "p@ss")
    uvloop.run(test())


def test_hanging_up_leaves_no_call_without_an_answer(server: RedisServer) -> None:
    async def test() -> None:
        told: list[int] = []
        async with limiting(server.url, 4) as limiter:
            server.stop()
            for _ in range(3):
                limiter.admit(KEY, 8, None, 0, told.append)
        await until(lambda: len(told) == 3)
        assert told[:2] == [0, 0]
        assert 1 <= told[2] <= 60
        server.resume()

    uvloop.run(test())


def test_unused_windows_are_forgotten() -> None:
    limiter = Limiter("redis://127.0.0.1:1", 1)
    told: list[int] = []
    for number in range(3_000):
        limiter.admit(f"key {number}", 5, None, 0, told.append)
        limiter.shares.windows[f"key {number}"].entries.clear()
    assert told == [0] * 3_000
    assert len(limiter.shares.windows) <= 1_000


@given(st.integers(0, 60_000))
def test_retry_after_is_the_shortest_whole_number_of_seconds_that_helps(wait: int) -> None:
    seconds = limits._seconds(wait)
    assert seconds * 1_000 >= wait > (seconds - 1) * 1_000
    assert (seconds == 0) == (wait == 0)


def test_a_url_of_something_else_is_refused() -> None:
    with pytest.raises(ValueError, match="must start with redis://"):
        Limiter("http://127.0.0.1:6379", 1)
