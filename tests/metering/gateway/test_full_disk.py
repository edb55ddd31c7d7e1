"""A spool whose disk takes no more: calls are refused as if they had never come, running ones end and are kept."""

from __future__ import annotations

import logging
import threading

import pytest

from metering.gateway import spool as module
from tests.metering.gateway.conftest import Running
from tests.metering.gateway.test_calls import ASK, CHAT
from tests.metering.gateway.test_spool import disk_of
from tests.upstreams.provider import Answer, Provider, Received, completion


def spooled(gateway: Running) -> int:
    return sum(path.stat().st_size for path in gateway.spool.glob("*.spool"))


def test_a_call_that_cannot_be_written_down_is_not_made(
    gateway: Running, provider: Provider, caplog: pytest.LogCaptureFixture
) -> None:
    with disk_of(spooled(gateway)), caplog.at_level(logging.CRITICAL):
        answers = [gateway.call(CHAT, ASK) for _ in range(3)]
        health = gateway.call("/healthz", method="GET", key=None)
    assert [(answer.status, answer.headers["x-metering-error"]) for answer in answers] == [
        (503, "budget_unavailable")
    ] * 3
    assert not any("x-metering-event-id" in answer.headers for answer in answers)
    assert (health.status, health.read()) == (503, b"The spool is full: is the recorder running?\n")
    assert provider.received == []
    assert "File too large" in caplog.text
    counted = gateway.wait(lambda: gateway.records("refusals"))
    assert [count[4:] for record in counted for count in record["counts"]] == [["budget_unavailable", 3]]


def test_calls_are_let_in_again_when_there_is_room(
    gateway: Running, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.01)
    with disk_of(spooled(gateway)):
        assert gateway.call(CHAT, ASK).status == 503
    gateway.wait(lambda: gateway.call(CHAT, ASK).status == 200)


def test_a_running_call_ends_and_its_result_is_kept_until_there_is_room(gateway: Running, provider: Provider) -> None:
    arrived, go = threading.Event(), threading.Event()

    def answer(received: Received) -> Answer:
        arrived.set()
        go.wait(10)
        return completion()

    provider.answer = answer
    statuses: list[int] = []
    caller = threading.Thread(target=lambda: statuses.append(gateway.call(CHAT, ASK).status))
    caller.start()
    assert arrived.wait(10)
    with disk_of(spooled(gateway)):
        go.set()
        caller.join(10)
        assert statuses == [200]
        assert gateway.records("result") == []
    [result] = gateway.wait(lambda: gateway.records("result"))
    assert (result["status"], result["estimated"]) == ("ok", False)
