"""The sliding window: what holds for every sequence of uses, and that Lua in Redis decides as Python does."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterator

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st

from metering.gateway.window import GIVE_BACK, MINUTE, TAKE, Window
from tests.upstreams.redis import RedisServer

START = 1_000_000_000_000
PAUSES = st.one_of(st.integers(0, 50), st.integers(0, 3_000), st.integers(0, 70_000))
TOKENS = st.integers(0, 120)
LIMITS = st.one_of(st.none(), st.integers(1, 8))
TOKEN_LIMITS = st.one_of(st.none(), st.integers(120, 300))
USES = st.lists(st.tuples(PAUSES, TOKENS), max_size=60)
KEYS = itertools.count()


def counted(uses: list[tuple[int, int]], since: int) -> tuple[int, int]:
    """Requests and tokens of the uses (moment, tokens) after a moment."""
    recent = [tokens for moment, tokens in uses if moment > since]
    return len(recent), sum(recent)


@given(LIMITS, TOKEN_LIMITS, USES)
def test_no_minute_holds_more_and_nothing_fits_that_is_refused(
    most_requests: int | None, most_tokens: int | None, uses: list[tuple[int, int]]
) -> None:
    window = Window()
    passed: list[tuple[int, int]] = []
    now = START
    for pause, tokens in uses:
        now += pause
        wait = window.take(now, most_requests, most_tokens, 1, tokens)
        # A second more than a minute is what sharing an entry may cost.
        since = now - MINUTE - (1000 if wait else 0)
        requests, sum_of_tokens = counted([*passed, (now, tokens)], since)
        fits = requests <= (most_requests or requests) and sum_of_tokens <= (most_tokens or sum_of_tokens)
        assert fits == (wait == 0)
        if not wait:
            passed.append((now, tokens))


@given(LIMITS, TOKEN_LIMITS, USES, TOKENS)
def test_the_wait_is_the_shortest_that_helps(
    most_requests: int | None, most_tokens: int | None, uses: list[tuple[int, int]], tokens: int
) -> None:
    window = Window()
    now = START
    for pause, earlier in uses:
        now += pause
        window.take(now, most_requests, most_tokens, 1, earlier)
    before = (window.requests, window.tokens)
    wait = window.take(now, most_requests, most_tokens, 1, tokens)
    assert 0 <= wait <= MINUTE
    if wait:
        assert (window.requests, window.tokens) == before
        early = copy.deepcopy(window)
        assert early.take(now + wait - 1, most_requests, most_tokens, 1, tokens) == 1
        assert window.take(now + wait, most_requests, most_tokens, 1, tokens) == 0


def test_a_use_that_no_minute_has_room_for_waits_for_a_minute() -> None:
    assert Window().take(START, None, 100, 1, 101) == MINUTE
    assert Window().take(START, 0, None, 1, 0) == MINUTE


def test_tokens_are_given_back_where_they_were_taken() -> None:
    window = Window()
    window.take(START, None, None, 1, 50)
    window.take(START + 30_000, None, None, 1, 70)
    window.give_back(START + 40_000, 10_000, 60)
    assert window.tokens == 60
    assert window.take(START + MINUTE, None, 60, 1, 50) == 0
    assert window.take(START + MINUTE, None, 60, 1, 1) == 30_000


def test_what_has_left_is_not_given_back_again() -> None:
    window = Window()
    window.take(START, None, None, 1, 50)
    window.take(START + 59_000, None, None, 1, 70)
    window.give_back(START + 61_000, 1_000, 50)
    assert window.take(START + 61_000, None, 100, 1, 31) > 0


@given(USES, st.lists(st.tuples(st.integers(0, MINUTE), TOKENS), max_size=20))
def test_no_correction_leaves_less_than_nothing(
    uses: list[tuple[int, int]], corrections: list[tuple[int, int]]
) -> None:
    window = Window()
    now = START
    for (pause, tokens), (age, back) in itertools.zip_longest(uses, corrections, fillvalue=(0, 0)):
        now += pause
        window.take(now, None, None, 1, tokens)
        window.give_back(now, age, back)
        assert window.tokens == sum(taken for _, _, taken in window.entries)
        assert all(taken >= 0 for _, _, taken in window.entries)


def test_entries_stay_few_and_an_unused_window_is_idle() -> None:
    window = Window()
    for step in range(20_000):
        window.take(START + 500 + 10 * step, None, None, 1, 1)
    assert len(window.entries) == 61
    assert 6_000 <= window.requests < 6_100
    last = START + 200_490
    assert not window.idle(last + MINUTE - 1)
    assert window.idle(last + MINUTE)
    assert Window().idle(0)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[redis.Redis]:
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    with server.client() as connection:
        yield connection
    server.kill()


def lua(client: redis.Redis, script: str, key: str, now: int, *arguments: int | None) -> int:
    """Run a script at a moment that is told to it in place of its own clock."""
    words = ["" if argument is None else str(argument) for argument in arguments]
    clock = f"{{{now // 1000}, {now % 1000 * 1000}}}"
    return int(client.eval(script.replace("redis.call('TIME')", clock), 1, key, *words))


STEPS = st.lists(
    st.tuples(
        PAUSES,
        st.one_of(
            st.tuples(LIMITS, TOKEN_LIMITS, st.integers(0, 1), TOKENS),
            st.tuples(st.integers(0, MINUTE), TOKENS),
        ),
    ),
    max_size=30,
)


@given(STEPS)
def test_redis_decides_as_a_process_does(client: redis.Redis, steps: list[tuple[int, tuple[int | None, ...]]]) -> None:
    window = Window()
    key = f"window:{next(KEYS)}"
    now = START
    for pause, arguments in steps:
        now += pause
        if len(arguments) == 4:
            most_requests, most_tokens, requests, tokens = arguments
            assert requests is not None
            assert tokens is not None
            decided = lua(client, TAKE, key, now, None, *arguments)
            assert decided == window.take(now, most_requests, most_tokens, requests, tokens)
        else:
            age, back = arguments
            assert age is not None
            assert back is not None
            before = window.tokens
            window.give_back(now, age, back)
            assert lua(client, GIVE_BACK, key, now, age, back) == before - window.tokens


def test_a_refusal_in_redis_forgets_what_has_left(client: redis.Redis) -> None:
    for moment, tokens in ((START, 50), (START + 30_000, 40)):
        assert lua(client, TAKE, "left", moment, None, None, 100, 1, tokens) == 0
    assert lua(client, TAKE, "left", START + MINUTE, None, None, 100, 1, 61) == 30_000
    assert lua(client, TAKE, "left", START + MINUTE, None, None, 100, 1, 60) == 0


def test_a_deadline_that_has_passed_takes_nothing(client: redis.Redis) -> None:
    assert lua(client, TAKE, "late", START, START - 1, 1, None, 1, 0) == -1
    assert lua(client, TAKE, "late", START, START, 1, None, 1, 0) == 0
    assert lua(client, TAKE, "late", START, START, 1, None, 1, 0) == MINUTE


def test_a_clock_that_was_set_back_admits_again(client: redis.Redis) -> None:
    assert lua(client, TAKE, "back", START, None, 1, None, 1, 0) == 0
    assert lua(client, TAKE, "back", START - 500, None, 1, None, 1, 0) == MINUTE
    assert lua(client, TAKE, "back", START - 3_600_000, None, 1, None, 1, 0) == 0


def test_redis_forgets_a_window_by_itself(client: redis.Redis) -> None:
    lua(client, TAKE, "brief", START, None, 1, None, 1, 0)
    assert 0 < int(client.pttl("brief")) <= MINUTE + 1_000
