from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from metering.estimates import Request, Told, by_length, estimate
from metering.gateway import estimator
from metering.gateway.estimator import Estimator
from metering.usage import Reading, Usage

TOLD = Told("claude-sonnet-4-5", Request(400, {"system": "a" * 340}), Reading(None))


def answers(*asked: Told, close: bool = False) -> list[Usage]:
    """What an estimator of a loop of its own says."""

    async def life() -> list[Usage]:
        counting, found = Estimator(), asyncio.Queue[Usage]()
        for told in asked:
            counting.ask(told, found.put_nowait)
        if close:
            await counting.close()
            return [found.get_nowait() for _ in range(found.qsize())]
        return [await asyncio.wait_for(found.get(), 10) for _ in asked]

    return asyncio.run(life())


def test_a_call_is_counted_in_another_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[str] = []

    def counted(told: Told) -> Usage:
        threads.append(threading.current_thread().name)
        return estimate(told)

    monkeypatch.setattr(estimator, "estimate", counted)
    assert answers(TOLD, TOLD) == [Usage(100)] * 2
    assert {name.partition("_")[0] for name in threads} == {"estimates"}


def test_what_waits_is_counted_before_the_end() -> None:
    assert answers(*[TOLD] * 20, close=True) == [Usage(100)] * 20


def test_lengths_have_to_do_where_too_many_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(estimator, "MOST_WAITING", 1)
    assert sorted(answers(TOLD, TOLD, TOLD)) == [Usage(100)] * 3 == [by_length(TOLD)] * 3
    other = TOLD._replace(request=Request(4000, {"system": "a" * 340}))
    assert sorted(answers(other, other)) == [Usage(100), Usage(1000)]


def test_a_count_that_fails_leaves_the_length(monkeypatch: pytest.MonkeyPatch, caplog: Any) -> None:
    def broken(told: Told) -> Usage:
        raise ZeroDivisionError

    monkeypatch.setattr(estimator, "estimate", broken)
    assert answers(TOLD) == [by_length(TOLD)]
    assert "its length has to do" in caplog.text


def test_an_end_that_takes_too_long_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    goes_on = threading.Event()

    def slow(told: Told) -> Usage:
        goes_on.wait(10)
        return Usage()

    monkeypatch.setattr(estimator, "estimate", slow)
    monkeypatch.setattr(estimator, "LONGEST_END", 0.01)

    async def life() -> list[Usage]:
        counting, found = Estimator(), list[Usage]()
        counting.ask(TOLD, found.append)
        await counting.close()
        told = list(found)
        goes_on.set()
        return told

    assert asyncio.run(life()) == []
