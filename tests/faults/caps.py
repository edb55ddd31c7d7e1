"""Clients that use up a cap, the provider that charges for it by its own count, and who looks at the cap meanwhile."""

from __future__ import annotations

import hashlib
import http.client
import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from random import Random
from typing import Any, NamedTuple
from uuid import uuid4

import psycopg

from tests.faults.plans import Usage
from tests.faults.prices import NANO, cost
from tests.faults.product import LIVENESS_SECONDS, Product
from tests.upstreams.provider import Answer, Provider, Received, events

MODEL = "gpt-4.1-mini"
MOST_OUTPUT = 300
CAP = 60_000_000
"""Nano-USD: about 150 calls, and more than fifty times what one of them reserves."""
LOOK_SECONDS = 0.02
CHANGE_SECONDS = 0.5
"""A call that was let in just before a cap was lowered may be seen just after it."""
FINAL = {"budget_exhausted", "request_exceeds_budget"}
FIGURES = re.compile(r"has \$([0-9.]+) of \$([0-9.]+) spent and \$([0-9.]+) reserved")
TAKEN = """
SELECT p.settled + p.reserved, b.limit + CASE WHEN b.raised_until > now() THEN b.raised_by ELSE 0 END,
    (SELECT max(amount) FROM reservation WHERE b.id = ANY(budgets))
FROM budget_period p JOIN metering_budget b ON b.id = p.budget_id WHERE b.id = %s
"""


class Refused(NamedTuple):
    """A refusal by its code, and what it says is spent, the limit and reserved, in nano-USD."""

    code: str
    spent: int
    limit: int
    reserved: int

    def justified(self, amount: int) -> bool:
        """Whether a call that reserves `amount` had to be refused like this, by the refusal's own figures."""
        fits_alone = self.spent + amount <= self.limit
        return {
            "budget_exhausted": self.spent >= self.limit,
            "request_exceeds_budget": self.spent < self.limit and not fits_alone,
            "budget_reserved": fits_alone and self.spent + self.reserved + amount > self.limit,
        }[self.code]


@dataclass
class Outcome:
    """What the clients and the onlooker saw, and what the provider charged for, by event id; nano-USD."""

    charged: dict[str, int] = field(default_factory=dict)
    whole: int = 0
    refused: list[Refused] = field(default_factory=list)
    odd: list[str] = field(default_factory=list)
    looks: list[tuple[float, int, int]] = field(default_factory=list)
    """Moment, what was taken of the key's cap, the cap."""
    amount: int = 0
    """What one call reserves."""

    @property
    def spent(self) -> int:
        """By the provider's own count."""
        return sum(self.charged.values())

    @property
    def overshoot(self) -> int:
        """The most by which what was taken grew beyond the cap of the moment, at any look or in the end."""
        most = before = 0
        for moment, taken, _ in self.looks:
            cap = max(cap for at, _, cap in self.looks if moment - CHANGE_SECONDS <= at <= moment)
            most = max(most, taken - max(cap, before))
            before = taken
        return max(most, self.spent - max(cap for _, _, cap in self.looks))

    @property
    def most(self) -> float:
        """The largest share that was taken of the largest cap until then."""
        share, cap = 0.0, 1
        for _, taken, limit in self.looks:
            cap = max(cap, limit)
            share = max(share, taken / cap)
        return share

    @property
    def phantoms(self) -> list[Refused]:
        """Refusals that their own figures do not bear out."""
        return [refusal for refusal in self.refused if not refusal.justified(self.amount)]


@dataclass
class CapRow:
    """A line of the table; `most` is the largest share of the cap that was ever taken."""

    name: str
    calls: int = 0
    most: float = 0
    used: float = 0
    overshoot: int = 0
    held: int = 0
    waits: int = 0
    phantoms: int = 0

    def cells(self) -> list[str]:
        """As texts, in the order of CAP_HEADS."""
        shares = [f"{self.most:.1%}", f"{self.used:.1%}"]
        counts = [self.overshoot, self.held, self.waits, self.phantoms]
        return [self.name, str(self.calls), *(share.replace("%", " %") for share in shares), *map(str, counts)]


CAP_HEADS = ["clients at once", "calls", "most taken", "used", "overshoot", "reserved after", "told to wait", "phantom"]


@contextmanager
def charging(outcome: Outcome) -> Iterator[Provider]:
    """A provider whose streams take a third of a second; it writes down what each call costs before it answers."""

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


@dataclass
class Capped:
    """A key under two caps, its own and its workspace's, whose budgets are named in this order."""

    product: Product
    outcome: Outcome
    key: str
    workspace: str
    budgets: list[str]

    def connect(self) -> psycopg.Connection[Any]:
        """A connection to the product's database."""
        return psycopg.connect(self.product.ledger.place, autocommit=True)

    def set(self, change: str, *values: Any) -> None:
        """Change the key's budget: columns and values as SQL takes them."""
        with closing(self.connect()) as database:
            database.execute(f"UPDATE metering_budget SET {change} WHERE id = %s".encode(), [*values, self.budgets[0]])

    def call(self, tags: dict[str, str] | None = None) -> str:
        """One stream to its end; the code of a refusal, '' when there was none."""
        body = {"model": MODEL, "stream": True, "max_completion_tokens": MOST_OUTPUT}
        body["messages"] = [{"role": "user", "content": "x"}]
        with closing(http.client.HTTPConnection("127.0.0.1", self.product.port, timeout=30)) as client:
            headers = {"authorization": f"Bearer {self.key}", "content-type": "application/json"}
            headers["x-metering-tags"] = json.dumps(tags or {})
            client.request("POST", "/proxy/openai/chat/completions", json.dumps(body), headers)
            answer = client.getresponse()
            text = answer.read()
        code = answer.headers.get("x-metering-error", "")
        if answer.status == 200:
            self.outcome.whole += 1
        elif figures := FIGURES.search(json.loads(text)["error"]["message"]):
            self.outcome.refused.append(Refused(code, *(int(Decimal(figure) * NANO) for figure in figures.groups())))
        else:
            self.outcome.odd.append(f"{answer.status} {code}")
        return code

    def spend(self, ended: threading.Event, *, to_the_end: bool) -> None:
        """Call until told to stop, or until the cap is used up."""
        while not ended.is_set():
            try:
                code = self.call()
            except (OSError, http.client.HTTPException):  # its process was killed
                continue
            if code:
                if to_the_end and code in FINAL:
                    ended.set()
                time.sleep(0.1)

    @contextmanager
    def clients(self, number: int, *, to_the_end: bool = True) -> Iterator[threading.Event]:
        """So many clients at once, and one who looks on. Waits until they have used up the cap, or are told to end."""
        ended, stopped = threading.Event(), threading.Event()
        looking = threading.Thread(target=self._watch, args=(stopped,))
        calling = [
            threading.Thread(target=self.spend, args=(ended,), kwargs={"to_the_end": to_the_end}) for _ in range(number)
        ]
        for thread in (looking, *calling):
            thread.start()
        try:
            yield ended
            assert ended.wait(LIVENESS_SECONDS)
        finally:
            ended.set()
            for thread in calling:
                thread.join(LIVENESS_SECONDS)
            stopped.set()
            looking.join()

    def _watch(self, stopped: threading.Event) -> None:
        """Look at the key's cap again and again."""
        with closing(self.connect()) as database:
            while not stopped.wait(LOOK_SECONDS):
                for taken, cap, amount in database.execute(TAKEN, [self.budgets[0]]).fetchall():
                    self.outcome.looks.append((time.monotonic(), int(taken), int(cap)))
                    self.outcome.amount = max(self.outcome.amount, amount or 0)

    def quiet(self) -> list[tuple[int, int]]:
        """Settled and reserved of each budget, once every call that the provider had is an event."""
        deadline = time.monotonic() + LIVENESS_SECONDS
        with closing(self.connect()) as database:
            while True:
                [(recorded,)] = database.execute(
                    "SELECT count(*) FROM usage_event WHERE id = ANY(%s::uuid[])", [list(self.outcome.charged)]
                ).fetchall()
                rows = database.execute(
                    "SELECT settled, reserved FROM budget_period WHERE budget_id = ANY(%s::uuid[]) "
                    "ORDER BY array_position(%s::uuid[], budget_id)",
                    [self.budgets, self.budgets],
                ).fetchall()
                if recorded == len(self.outcome.charged) and not any(reserved for _, reserved in rows):
                    return rows
                assert time.monotonic() < deadline, rows
                time.sleep(0.1)


NOTICE_SECONDS = 1.5
"""A new budget is with every gateway process a second later."""


def capped_key(product: Product, upstream: Provider, outcome: Outcome, *, workspace_cap: int, cap: int = CAP) -> Capped:
    """A new workspace with such a key. No month of its budgets is open: the first call opens it."""
    made = product.key_for(upstream.url, workspace=f"Caps {uuid4()}")
    capped = Capped(product, outcome, made["api_key"], made["workspace"], [str(uuid4()), str(uuid4())])
    with closing(capped.connect()) as database:
        digest = hashlib.sha256(made["api_key"].encode()).digest()
        [(key,)] = database.execute("SELECT id FROM metering_apikey WHERE digest = %s", [digest]).fetchall()
        for budget, target, limit in zip(capped.budgets, (key, None), (cap, workspace_cap), strict=True):
            database.execute(
                'INSERT INTO metering_budget (id, workspace_id, key_id, "limit", hard, billing_day, raised_by, '
                "raise_reason, created_at) VALUES (%s, %s, %s, %s, true, 1, 0, '', now())",
                [budget, made["workspace"], target, limit],
            )
    time.sleep(NOTICE_SECONDS)
    return capped


def at_once(number: int, action: Callable[[], object]) -> None:
    """Do something in so many threads that begin at the same moment."""
    barrier = threading.Barrier(number)

    def begin() -> None:
        barrier.wait()
        action()

    threads = [threading.Thread(target=begin) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LIVENESS_SECONDS)
