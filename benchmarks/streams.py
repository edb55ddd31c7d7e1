"""What streams cost in the gateway with everything on, beside nginx: processor time an event, and thousands at once.

python benchmarks/streams.py [--rounds 5] [--quick]
"""

from __future__ import annotations

import math

from bench import Bench, Sample, arguments, bench
from peers import Target, chat
from support import judge, median, memory_kib, print_table, run

PACED = 50
OPEN = 5000
EVENT_GOAL = 1.3
ON_TIME_GOAL = 99.0
MEMORY_GOAL = 10.0


def measure_paced(run: Bench, rounds: int, seconds: float) -> None:
    """50 streams at a time, 100 events each at 100 a second."""
    body = chat("events=100;gap=10000")
    for target in run.targets:
        run.load(target, body, ["-c", str(PACED), "-s", "1"])
    for _ in range(rounds):
        for target in run.targets:
            run.keep("paced", target, run.load(target, body, ["-c", str(PACED), "-s", str(seconds)]))


def measure_open(run: Bench, rounds: int, count: int) -> dict[str, list[float]]:
    """Streams of 2 events a second, all open at once; returns the KiB each that a target holds for them, a round.

    The memory before is that before the first round: what a target keeps for the next one counts in every round.
    """
    spread = count / 1000
    body = chat(f"events={int(spread * 2) + 12};gap=500000")
    before = {target.name: memory_of(target) for target in run.targets}
    held: dict[str, list[float]] = {target.name: [] for target in run.targets}
    for _ in range(rounds):
        for target in run.targets:
            sample, kib = open_streams(run, target, body, ["-c", str(count), "-o", str(spread)])
            run.keep("open", target, sample)
            held[target.name].append((kib - before[target.name]) / count)
    return held


def open_streams(run: Bench, target: Target, body: dict[str, object], options: list[str]) -> tuple[Sample, float]:
    """One load of streams, and the KiB that the target holds while all of them are open."""
    during: list[float] = []
    sample = run.load(target, body, options, lambda: during.append(memory_of(target)))
    return sample, during[0]


def memory_of(target: Target) -> float:
    """KiB; 0 for the provider, which is not measured."""
    return memory_kib(target.process) if target.process else 0


def show_paced(run: Bench) -> float:
    """Print the table of the paced streams; returns the gateway's processor time an event, times nginx."""
    found = {target.name: run.samples["paced", target.name] for target in run.targets}
    cpu = {name: median(sample.cpu_an_event for sample in samples) for name, samples in found.items()}
    nginx = cpu.get("nginx", float("nan"))
    rows = []
    for name, samples in found.items():
        late = [median(getattr(sample.load, field) / 1000 for sample in samples) for field in ("late_p50", "late_p99")]
        cost = ["", ""] if name == "direct" else [f"{cpu[name]:.1f} µs", f"{cpu[name] / nginx:.2f}"]
        rows.append([name, *cost, f"{late[0]:.2f} ms", f"{late[1]:.2f} ms"])
    heads = ["", "CPU an event", "× nginx", "late p50", "late p99"]
    print_table(f"Paced: {PACED} streams at a time, 100 events each at 100 a second", heads, rows)
    return cpu["gateway"] / nginx


def on_time(run: Bench, name: str) -> float:
    """Per cent of the events that came within 100 ms of when they were due."""
    return median(100 * sample.load.on_time / sample.load.events for sample in run.samples["open", name])


def show_open(run: Bench, count: int, held: dict[str, list[float]]) -> None:
    """Print the table of the open streams."""
    rows = []
    for target in run.targets:
        samples = run.samples["open", target.name]
        late = [median(getattr(sample.load, field) / 1000 for sample in samples) for field in ("late_p50", "late_p99")]
        memory = "" if target.name == "direct" else f"{median(held[target.name]):.1f} KiB"
        share = f"{on_time(run, target.name):.2f} %"
        rows.append([target.name, share, f"{late[0]:.2f} ms", f"{late[1]:.2f} ms", memory])
    heads = ["", "within 100 ms", "late p50", "late p99", "memory each"]
    print_table(f"Open: {count:,} streams at once, 2 events a second each, all complete", heads, rows)


def main() -> None:
    """Measure and print."""
    chosen = arguments(__doc__)
    rounds, seconds, count = (1, 2, 1000) if chosen.quick else (chosen.rounds, 4, OPEN)
    with bench(open_files=2 * count + 1000) as run:
        measure_paced(run, rounds, seconds)
        held = measure_open(run, min(rounds, 3), count)
        ratio = show_paced(run)
        show_open(run, count, held)
        print(f"\nEach of the gateway's {run.calls:,} calls is one event in the ledger; no stream failed.")
        if not math.isnan(ratio):
            judge("CPU an event, times nginx:", ratio, EVENT_GOAL)
        judge("Events within 100 ms, per cent:", on_time(run, "gateway"), ON_TIME_GOAL, least=True)
        judge("Memory each open stream, KiB:", median(held["gateway"]), MEMORY_GOAL)


if __name__ == "__main__":
    run(main)
