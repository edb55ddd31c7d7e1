"""One run: the provider, its targets in front of it, and measured loads on them."""

from __future__ import annotations

import argparse
import contextlib
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import native
import peers
import product
from native import Load
from peers import Target
from support import CannotMeasure, cpu_seconds, need_open_files, share_processors, started


@dataclass(frozen=True, slots=True)
class Sample:
    """One load on one target: what the load saw and the processor time that the target took, in seconds."""

    load: Load
    cpu: float

    @property
    def cpu_a_call(self) -> float:
        """Microseconds."""
        return self.cpu * 1e6 / self.load.calls

    @property
    def cpu_an_event(self) -> float:
        """Microseconds, the call's own share included."""
        return self.cpu * 1e6 / self.load.events

    @property
    def busy(self) -> float:
        """The share of one processor that the target took, 0 to 1."""
        return self.cpu * 1e6 / self.load.microseconds


@dataclass(slots=True)
class Bench:
    """The targets of a run and how to load them."""

    folder: Path
    program: str
    targets: list[Target]
    product: product.Product
    calls: int = 0
    samples: dict[tuple[str, str], list[Sample]] = field(default_factory=dict)

    def load(
        self, target: Target, body: dict[str, object], options: list[str], when_open: Callable[[], None] | None = None
    ) -> Sample:
        """Load a target and wait until all is recorded; raises CannotMeasure when a call fails or is not recorded."""
        request = self.folder / "request"
        request.write_bytes(target.request(body))
        before = cpu_seconds(target.process) if target.process else 0
        seen = native.make_load(self.program, target.port, request, options, when_open)
        after = cpu_seconds(target.process) if target.process else 0
        if seen.errors:
            raise CannotMeasure(f"{seen.errors} calls of {target.name} failed: {seen.first_error}.{self._log(target)}")
        if target in (self.product.target, self.product.capped):
            self.calls += seen.calls
            self.product.settle(self.calls)
        return Sample(seen, after - before)

    def keep(self, scenario: str, target: Target, sample: Sample) -> None:
        """Remember a sample for the medians."""
        self.samples.setdefault((scenario, target.name), []).append(sample)

    def _log(self, target: Target) -> str:
        log = self.folder / f"{target.name}.log"
        return "\n" + "\n".join(log.read_text().splitlines()[-10:]) if log.exists() else ""


@contextlib.contextmanager
def bench(open_files: int = 1024) -> Iterator[Bench]:
    """Start the provider, nginx, the plain relay, the recorder and the gateway; stop them all at the end."""
    measured, _ = share_processors()
    need_open_files(open_files)
    with tempfile.TemporaryDirectory(prefix="tokonomics-") as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        log = folder / "provider.log"
        provider = stack.enter_context(started([native.compiled("provider", folder)], log))
        port = native.port_of(provider, log)
        nginx = stack.enter_context(peers.nginx(folder, port, measured))
        relay = stack.enter_context(peers.relay(folder, port, measured))
        served = stack.enter_context(product.gateway(folder, port, measured))
        targets = [target for target in (Target("direct", port), nginx, relay, served.target) if target]
        yield Bench(folder, native.compiled("load", folder), targets, served)


def arguments(text: str | None) -> argparse.Namespace:
    """The options of a benchmark: rounds and quick."""
    parser = argparse.ArgumentParser(description=text)
    parser.add_argument("--rounds", type=int, default=5, help="interleaved rounds whose medians are printed (5)")
    parser.add_argument("--quick", action="store_true", help="one short round: a look, not a figure")
    return parser.parse_args()
