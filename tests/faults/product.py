"""A running product of the fault tests: started, looked at from outside, and hurt."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil
from psycopg.conninfo import make_conninfo

from tests.faults import clock
from tests.faults.ledger import Ledger
from tests.faults.stack import WORKERS
from tokonomics import embedded
from tokonomics.embedded import Engine, Postgres, Redis, locks

ROOT = Path(__file__).parents[2]
UNSET = ("DATABASE_URL", "REDIS_URL", "EMAIL_URL", "PUBLIC_URL", "SPOOL_DIR", "SITE_SOCKET", "HOST")
IMPATIENT = {"GATEWAY_FIRST_BYTE_TIMEOUT": "4", "GATEWAY_IDLE_TIMEOUT": "3"}
LIVENESS_SECONDS = 90
"""Far more than anything here takes; what takes longer hangs."""


class Product:
    """`stack.py` over one DATA_DIR, with all that it has started."""

    def __init__(self, data_dir: Path, port: int) -> None:
        self.data_dir = data_dir
        self.port = port
        self.log = data_dir.with_suffix(".log")
        kept = {name: value for name, value in os.environ.items() if name not in UNSET}
        own = {"DATA_DIR": str(data_dir), "PORT": str(port), "DJANGO_SETTINGS_MODULE": "tokonomics.settings"}
        self.environment = {**kept, **own, **IMPATIENT}
        self.postgres = Postgres(data_dir)
        self.redis = Redis(data_dir)
        self.spool = data_dir / "spool"
        self.rigging = data_dir.with_suffix(".rigging")
        self.ledger = Ledger(make_conninfo(host=str(self.postgres.sockets), user="tokonomics", dbname="tokonomics"))
        self.process: psutil.Popen

    def start(self) -> None:
        """Start it, and wait until it is whole."""
        with self.log.open("ab") as output:
            command = [sys.executable, "-m", "tests.faults.stack"]
            self.process = psutil.Popen(
                command, cwd=ROOT, env=self.environment, stdout=output, stderr=subprocess.STDOUT
            )
        self.until(self.whole)

    def stop(self) -> None:
        """Stop it as Ctrl-C does, without waiting for running calls for long."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(10)
            except psutil.TimeoutExpired:
                self.process.send_signal(signal.SIGINT)
                self.process.wait(LIVENESS_SECONDS)

    def restart(self, **environment: str) -> None:
        """Stop it, and start it with other settings."""
        self.stop()
        self.environment |= environment
        self.start()

    def rig(self) -> None:
        """Stop it, and start it with parts that tests can get into; see `part.py`."""
        self.rigging.mkdir(exist_ok=True)
        clock.make(self.rigging)
        self.restart(RIGGED=str(self.rigging))

    def unrig(self) -> None:
        """Stop it, and start it as it is."""
        self.environment.pop("RIGGED", None)
        self.restart()

    def die_at(self, place: str, meanwhile: Callable[[], int] = int) -> int:
        """Have the first process die that comes to a place of `failpoints.py`; how many clients that cuts off."""
        taken, done = self.rigging / f"{place} (taken)", self.rigging / f"{place} (done)"
        (self.rigging / place).touch()
        cut = meanwhile()
        self.until(done.exists)
        cut += int(done.read_text())
        taken.unlink()
        done.unlink()
        return cut

    def manage(self, *words: str) -> str:
        """What a management command prints; fails the test, with what it said, when it ends in an error."""
        command = [sys.executable, "manage.py", *words]
        done = subprocess.run(command, cwd=ROOT, env=self.environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def key_for(self, provider: str, *options: str, workspace: str = "Faults") -> dict[str, str]:
        """What quickstart prints: a fresh mk_ key of a workspace whose openai account stands at `provider`."""
        who = ("--email", "ops@example.com", "--password", "long enough, surely", "--workspace", workspace)
        account = ("--provider", "openai", "--provider-key", "sk-upstream", "--base-url", provider)
        made: dict[str, str] = json.loads(self.manage("quickstart", *who, *account, *options))
        return made

    def agrees(self) -> bool:
        """What `manage.py verify` finds; fails the test, with the differences, when there are any."""
        return self.manage("verify").startswith("Events and rollups agree")

    def let_go_of_all(self) -> bool:
        """Whether budgets come to hold nothing for a call any more; for when all is quiet. Fails the test if not."""
        self.until(lambda: self.ledger.reserved() == (0, 0))
        return True

    # what is seen

    def until(self, condition: Callable[[], Any]) -> None:
        """Wait for something that must come; fails the test when it takes too long."""
        deadline = time.monotonic() + LIVENESS_SECONDS
        while not condition():
            assert self.process.poll() is None, self.tail()
            assert time.monotonic() < deadline, self.tail()
            time.sleep(0.05)

    def tail(self) -> str:
        """The end of what it has printed."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-40:])

    def whole(self) -> bool:
        """Whether every part is there and the gateway takes calls."""
        engines = self.postgres.ready() and self.redis.ready()
        return engines and self.recorder() is not None and len(self.workers()) >= WORKERS and self.healthy()

    def healthy(self) -> bool:
        """What /healthz says."""
        try:
            with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)) as client:
                client.request("GET", "/healthz")
                return client.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False

    def master(self) -> psutil.Process | None:
        """The process that keeps the gateway's workers."""
        return self._part("gateway")

    def workers(self) -> list[psutil.Process]:
        """The gateway's processes, also those that are ending."""
        master = self.master()
        with contextlib.suppress(psutil.NoSuchProcess):
            return sorted(master.children(), key=lambda process: process.pid) if master else []
        return []

    def recorder(self) -> psutil.Process | None:
        """The process that ships the spool."""
        return self._part("recorder")

    def engine(self, engine: Engine) -> psutil.Process:
        """The first process of an engine."""
        pid = locks.holder(embedded.lock_of(engine))
        assert pid, f"{engine.name} does not run"
        return psutil.Process(pid)

    def open_connections(self) -> int:
        """How many connections of clients the gateway's processes hold."""
        return sum(self.connections_of(worker) for worker in self.workers())

    def connections_of(self, worker: psutil.Process) -> int:
        """How many connections of clients one process holds."""
        with contextlib.suppress(psutil.Error):
            found = worker.net_connections("tcp")
            return sum(one.laddr.port == self.port and one.status != psutil.CONN_LISTEN for one in found)
        return 0

    def _part(self, word: str) -> psutil.Process | None:
        with contextlib.suppress(psutil.NoSuchProcess):
            for child in self.process.children():
                if word in child.as_dict(["cmdline"], [])["cmdline"]:
                    return child
        return None
