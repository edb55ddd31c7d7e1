"""One run of the fault tests: clients call, something is struck, all is quiet again, and the judge speaks."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Self

from tests.faults.journals import entries
from tests.faults.load import Orders
from tests.faults.product import LIVENESS_SECONDS, ROOT, Product
from tests.faults.strikes import Strike
from tests.faults.verdict import Verdict, judge


@dataclass
class Row:
    """A line of the table; `recoveries` in seconds, each from a fault until all is as before."""

    name: str
    cut: int = 0
    recoveries: list[float] = field(default_factory=list)
    faults: int = 0
    verdict: Verdict = field(default_factory=Verdict)

    def cells(self) -> list[str]:
        """As texts, in the order of HEADS."""
        verdict = self.verdict
        counts = [self.faults, verdict.calls, verdict.exact, len(verdict.estimated), self.cut, len(verdict.lost)]
        counts += [len(verdict.doubled) + len(verdict.invented), len(verdict.wrong)]
        times = [statistics.median(self.recoveries), max(self.recoveries)] if self.recoveries else []
        return [self.name, *map(str, counts), " / ".join(f"{seconds:.1f}" for seconds in times) or "–"]


HEADS = ["fault", "times", "calls", "exact", "estimated", "in flight", "lost", "doubled", "wrong", "recovery (s)"]


class Run:
    """The clients of one test; `with` it, they call."""

    def __init__(self, product: Product, folder: Path, row: Row, orders: Orders) -> None:
        self.product = product
        self.folder = folder
        self.row = row
        self.orders = orders
        self.random = Random(orders.run)
        self.clients: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "tests.faults.load", json.dumps(asdict(self.orders))]
        self.clients = subprocess.Popen(command, cwd=ROOT)
        self.product.until(lambda: len(self.asked()) >= self.orders.streams + self.orders.plain)
        return self

    def __exit__(self, *_: object) -> None:
        """Let the clients end their calls."""
        assert self.clients is not None
        self.clients.terminate()
        try:
            self.clients.wait(LIVENESS_SECONDS)
        finally:
            self.clients.kill()

    def pause(self, low: float, high: float) -> None:
        """Let calls go on for a random time."""
        time.sleep(self.random.uniform(low, high))

    def strike(self, fault: Strike) -> None:
        """Do harm, and wait until all parts serve again and a call that was made since then has its event."""
        moment = time.time()
        self.row.faults += 1
        self.row.cut += fault(self.product)
        self.product.until(self.product.whole)
        self.product.until(lambda: self.product.ledger.has_call_since(moment, self.orders.run))
        self.row.recoveries.append(time.time() - moment)

    def asked(self) -> list[dict[str, Any]]:
        """The provider's journal of this run."""
        return entries(self.folder / "provider.jsonl", run=self.orders.run)

    def seen(self) -> list[dict[str, Any]]:
        """The clients' journal."""
        return entries(Path(self.orders.journal))

    def judge(self) -> Verdict:
        """Wait until all is quiet; then no promise may be broken."""
        deadline = time.monotonic() + LIVENESS_SECONDS
        while rest := self.product.ledger.unfinished(self.product.spool):
            assert time.monotonic() < deadline, f"{rest}\n{self.product.tail()}"
            time.sleep(0.1)
        self.product.until(lambda: self.product.open_connections() == 0)
        verdict = self.row.verdict = judge(self.asked(), self.seen(), self.product.ledger.events(self.orders.run))
        problems = verdict.problems()
        assert not problems, "\n".join([f"{len(problems)} broken promises", *problems[:20], self.product.tail()])
        assert len(verdict.estimated) <= self.row.cut, f"{len(verdict.estimated)} estimates for {self.row.cut} calls"
        return verdict

    def assert_unnoticed(self) -> None:
        """Every call was answered, and answered whole."""
        bad = [entry for entry in self.seen() if not (entry["status"] == 200 and entry["complete"])]
        assert not bad, f"{len(bad)} calls were hurt: {bad[:5]}\n{self.product.tail()}"
