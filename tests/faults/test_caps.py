"""Many streams at once against one cap: it is never passed at any look, and nearly all of it can be used.

The provider honours the limit on the output, as real ones do; what each call costs is worked out from its own words.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from random import Random
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from tests.faults.conftest import FULL
from tests.faults.plans import Usage
from tests.faults.prices import cost
from tests.faults.product import LIVENESS_SECONDS, Product
from tests.upstreams.provider import Answer, Provider, Received, events

MODEL = "gpt-4.1-mini"
MOST_OUTPUT = 300
CAP = 60_000_000
"""Nano-USD: about 150 calls, and more than fifty times what one of them reserves."""
USABLE = 0.97
LOOK_SECONDS = 0.02
FINAL = {"budget_exhausted", "request_exceeds_budget"}
CLIENTS = [1, 8, 32, 64] if FULL else [32]

pytestmark = pytest.mark.faults


@dataclass
class Outcome:
    """What the clients saw, and what the provider charged for, by event id."""

    charged: dict[str, int] = field(default_factory=dict)
    whole: int = 0
    codes: list[str] = field(default_factory=list)
    most: int = 0


@pytest.fixture
def outcome() -> Outcome:
    return Outcome()


@pytest.fixture
def upstream(outcome: Outcome) -> Iterator[Provider]:
    """Streams of a third of a second; writes down what each call costs before it answers."""

    def answer(received: Received) -> Answer:
        asked = received.json()
        random = Random(received.headers["x-request-id"])
        usage = Usage(len(received.body) // 5, 0, random.randint(MOST_OUTPUT // 2, asked["max_completion_tokens"]), 0)
        outcome.charged[received.headers["x-request-id"]] = cost(MODEL, usage)
        return _stream(usage)

    server = Provider(answer)
    yield server
    server.close()


def _stream(usage: Usage) -> Answer:
    choice = {"index": 0, "delta": {"content": "word "}, "finish_reason": None}
    chunk = {"id": "c", "object": "chat.completion.chunk", "model": MODEL, "choices": [choice]}
    total = usage.input + usage.output
    told = {"prompt_tokens": usage.input, "completion_tokens": usage.output, "total_tokens": total}
    return events(*[chunk] * 6, {**chunk, "choices": [], "usage": told}, pause=0.05)


def connect(product: Product) -> psycopg.Connection[Any]:
    conninfo = make_conninfo(host=str(product.postgres.sockets), user="tokonomics", dbname="tokonomics")
    return psycopg.connect(conninfo, autocommit=True)


def capped_key(product: Product, upstream: Provider, *, workspace_cap: int) -> tuple[str, list[str]]:
    """A key under two caps, its own and its workspace's; and the ids of their budgets."""
    who = ("--email", "caps@example.com", "--password", "long enough, surely", "--workspace", f"Caps {uuid4()}")
    account = ("--provider", "openai", "--provider-key", "sk-upstream", "--base-url", upstream.url)
    made = json.loads(product.manage("quickstart", *who, *account))
    budgets = [str(uuid4()), str(uuid4())]
    with closing(connect(product)) as database:
        [(key,)] = database.execute(
            "SELECT id FROM metering_apikey WHERE digest = %s", [hashlib.sha256(made["api_key"].encode()).digest()]
        ).fetchall()
        for budget, target, limit in ((budgets[0], key, CAP), (budgets[1], None, workspace_cap)):
            database.execute(
                'INSERT INTO metering_budget (id, workspace_id, key_id, "limit", hard, billing_day, raised_by, '
                "raise_reason, created_at) VALUES (%s, %s, %s, %s, true, 1, 0, '', now())",
                [budget, made["workspace"], target, limit],
            )
    return made["api_key"], budgets


def call(port: int, key: str) -> tuple[int, str]:
    """One stream to its end: the status, and the code of a refusal."""
    body = {
        "model": MODEL,
        "stream": True,
        "max_completion_tokens": MOST_OUTPUT,
        "messages": [{"role": "user", "content": "x"}],
    }
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as client:
        headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
        client.request("POST", "/proxy/openai/chat/completions", json.dumps(body), headers)
        answer = client.getresponse()
        answer.read()
        return answer.status, answer.headers.get("x-metering-error", "")


def spend(product: Product, key: str, outcome: Outcome, ended: threading.Event) -> None:
    """Call until the cap is used up."""
    while not ended.is_set():
        try:
            status, code = call(product.port, key)
        except (OSError, http.client.HTTPException):  # its process was killed
            continue
        if status == 200:
            outcome.whole += 1
            continue
        outcome.codes.append(code)
        if code in FINAL:
            ended.set()
        time.sleep(0.1)


def watch(product: Product, budgets: list[str], outcome: Outcome, ended: threading.Event) -> None:
    """Look at the periods again and again; note the most that was ever taken of the key's cap."""
    with closing(connect(product)) as database:
        while not ended.wait(LOOK_SECONDS):
            found = database.execute(
                "SELECT settled + reserved FROM budget_period WHERE budget_id = %s", [budgets[0]]
            ).fetchall()
            outcome.most = max([outcome.most, *(taken for (taken,) in found)])


def quiet(product: Product, budgets: list[str], outcome: Outcome) -> list[tuple[int, int]]:
    """Settled and reserved of each budget, once every call that the provider had is an event."""
    deadline = time.monotonic() + LIVENESS_SECONDS
    with closing(connect(product)) as database:
        while True:
            [(events_,)] = database.execute(
                "SELECT count(*) FROM usage_event WHERE id = ANY(%s::uuid[])", [list(outcome.charged)]
            ).fetchall()
            rows = database.execute(
                "SELECT settled, reserved FROM budget_period WHERE budget_id = ANY(%s::uuid[]) "
                "ORDER BY array_position(%s::uuid[], budget_id)",
                [budgets, budgets],
            ).fetchall()
            if events_ == len(outcome.charged) and not any(reserved for _, reserved in rows):
                return rows
            assert time.monotonic() < deadline, rows
            time.sleep(0.1)


@pytest.mark.parametrize("clients", CLIENTS)
def test_no_cap_is_passed_and_nearly_all_of_it_is_used(
    product: Product, upstream: Provider, outcome: Outcome, clients: int
) -> None:
    key, budgets = capped_key(product, upstream, workspace_cap=10 * CAP)
    ended, stopped = threading.Event(), threading.Event()
    looking = threading.Thread(target=watch, args=(product, budgets, outcome, stopped))
    looking.start()
    threads = [threading.Thread(target=spend, args=(product, key, outcome, ended)) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LIVENESS_SECONDS)
    rows = quiet(product, budgets, outcome)
    stopped.set()
    looking.join()
    assert outcome.most <= CAP
    spent = sum(outcome.charged.values())
    assert rows == [(spent, 0), (spent, 0)]
    assert USABLE * CAP <= spent <= CAP
    assert outcome.whole == len(outcome.charged)
    assert set(outcome.codes) <= FINAL | {"budget_reserved"}
    assert product.agrees()


def test_the_smaller_of_two_caps_holds(product: Product, upstream: Provider, outcome: Outcome) -> None:
    key, budgets = capped_key(product, upstream, workspace_cap=CAP // 4)
    ended = threading.Event()
    threads = [threading.Thread(target=spend, args=(product, key, outcome, ended)) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LIVENESS_SECONDS)
    spent = sum(outcome.charged.values())
    assert quiet(product, budgets, outcome) == [(spent, 0), (spent, 0)]
    assert spent <= CAP // 4


@pytest.mark.parametrize("victim", ["gateway", "recorder"])
def test_a_killed_process_leaves_no_reservation(
    product: Product, upstream: Provider, outcome: Outcome, victim: str
) -> None:
    key, budgets = capped_key(product, upstream, workspace_cap=100 * CAP)
    ended = threading.Event()
    threads = [threading.Thread(target=spend, args=(product, key, outcome, ended)) for _ in range(16)]
    for thread in threads:
        thread.start()
    product.until(lambda: len(outcome.charged) >= 32)
    process = product.workers()[0] if victim == "gateway" else product.recorder()
    assert process is not None
    process.kill()
    product.until(lambda: ended.is_set() or len(outcome.charged) >= 100)
    ended.set()
    for thread in threads:
        thread.join(LIVENESS_SECONDS)
    product.until(product.whole)
    rows = quiet(product, budgets, outcome)
    assert [reserved for _, reserved in rows] == [0, 0]
    assert rows[0][0] <= CAP
    assert product.agrees()
