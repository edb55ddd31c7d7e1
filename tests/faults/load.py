"""The clients of the fault tests: a process with a thread for each, which calls again and again through the gateway.

Each call is written down when it is over, with what the client saw. One that finds nobody is tried again as a new call.
`python -m tests.faults.load ORDERS` (JSON) runs until SIGTERM, then lets the running calls end.
"""

from __future__ import annotations

import http.client
import json
import signal
import sys
import threading
import time
import uuid
from dataclasses import dataclass, field
from random import Random
from typing import Any

from tests.faults.journals import Journal
from tests.faults.plans import WHOLE, Plan, request_body
from tests.faults.prices import PRICES

PIECES_A_SECOND = 8
PATIENCE_SECONDS = 40
"""A client that hears nothing for so long writes down that it hung."""
PAUSE_SECONDS = 0.05


@dataclass(frozen=True)
class Orders:
    """Whom to call with which key, how many clients, and what their calls are like; times in seconds."""

    port: int
    key: str
    run: str
    journal: str
    streams: int = 16
    plain: int = 4
    seconds: tuple[float, float] = (1, 5)
    plain_seconds: float = 0.4
    ends: list[str] = field(default_factory=lambda: [WHOLE])
    leaving: float = 0
    """The share of calls whose client hangs up half-way."""
    keep_alive: bool = True


class Client:
    """One thread's calls, one after the other."""

    def __init__(self, orders: Orders, journal: Journal, number: int) -> None:
        self.orders = orders
        self.journal = journal
        self.random = Random(f"{orders.run} {number}")
        self.stream = number < orders.streams
        self.connection = http.client.HTTPConnection("127.0.0.1", orders.port, timeout=PATIENCE_SECONDS)

    def run(self, stopping: threading.Event) -> None:
        """Call until told to stop."""
        while not stopping.is_set():
            seen = self.call()
            self.journal.write(**seen)
            if seen["status"] != 200:
                stopping.wait(PAUSE_SECONDS)
        self.connection.close()

    def call(self) -> dict[str, Any]:
        """One call, and what was seen of it."""
        plan = self._plan()
        seen: dict[str, Any] = {"call": plan.call, "end": plan.end, "began": time.time(), "id": "", "status": 0}
        seen |= {"complete": False, "left": False, "error": "", "cost": ""}
        try:
            self._converse(plan, seen)
        except TimeoutError:
            seen["error"] = "hung"
            self.connection.close()
        except http.client.ImproperConnectionState:  # a mistake in here
            raise
        except (OSError, http.client.HTTPException) as error:
            seen["error"] = type(error).__name__
            self.connection.close()
        return seen | {"ended": time.time()}

    def _plan(self) -> Plan:
        seconds = self.random.uniform(*self.orders.seconds) if self.stream else self.orders.plain_seconds
        pieces = max(2, round(seconds * PIECES_A_SECOND))
        end = self.random.choice(self.orders.ends)
        return Plan(self.orders.run, str(uuid.uuid4()), self.random.getrandbits(32), seconds, pieces, end)

    def _converse(self, plan: Plan, seen: dict[str, Any]) -> None:
        model = self.random.choice(list(PRICES))
        leaves_after = self.random.randrange(plan.pieces) if self.random.random() < self.orders.leaving else None
        body = request_body(plan, model=model, stream=self.stream, ask_usage=self.stream and self.random.random() < 0.5)
        self.connection.request("POST", "/proxy/openai/chat/completions", body, self._headers())
        if leaves_after is not None and not self.stream:
            seen["left"] = True
            self.connection.close()
            return
        response = self.connection.getresponse()
        seen["status"] = response.status
        seen["id"] = response.headers.get("x-metering-event-id", "")
        seen["error"] = response.headers.get("x-metering-error", "")
        seen["cost"] = response.headers.get("x-metering-cost-usd", "")
        if self.stream and response.status == 200:
            seen["left"] = self._read_stream(response, leaves_after, seen)
        else:
            response.read()
            seen["complete"] = response.status == 200
        if seen["left"] or not self.orders.keep_alive:
            self.connection.close()

    def _headers(self) -> dict[str, str]:
        tags = {"run": self.orders.run, "client": f"client-{self.random.randrange(5)}"}
        return {
            "authorization": f"Bearer {self.orders.key}",
            "content-type": "application/json",
            "x-metering-tags": json.dumps(tags),
        }

    def _read_stream(self, response: http.client.HTTPResponse, leaves_after: int | None, seen: dict[str, Any]) -> bool:
        """Read an answer to its end, or leave; whether the client left. An answer that is cut off raises."""
        text, pieces = b"", 0
        while data := response.read1(65536):
            text += data
            pieces += 1
            seen["complete"] = text.endswith(b"data: [DONE]\n\n")
            if leaves_after is not None and pieces > leaves_after:
                response.close()
                return True
        return False


def main() -> None:
    """All clients, until SIGTERM."""
    orders = Orders(**json.loads(sys.argv[1]))
    journal = Journal(orders.journal)
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    clients = [Client(orders, journal, number) for number in range(orders.streams + orders.plain)]
    threads = [threading.Thread(target=client.run, args=[stopping]) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main()
