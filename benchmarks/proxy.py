"""What a call costs in the gateway with everything on, without and with a cap, beside nginx: processor and added time.

python benchmarks/proxy.py [--rounds 5] [--quick]
"""

from __future__ import annotations

from bench import Bench, arguments, bench
from peers import chat
from support import judge, median, print_table, run

CONNECTIONS = 32
RATE = 50
CPU_GOALS = {"gateway": 2.5, "capped": 5.0}
"""Times nginx."""
ADDED_GOALS = {"gateway": 1.0, "capped": 3.0}
"""Milliseconds."""


def measure(run: Bench, rounds: int, seconds: float) -> None:
    """Interleaved rounds: each target at saturation, then each at a fixed rate."""
    saturate = ["-c", str(CONNECTIONS), "-s", str(seconds)]
    paced = ["-c", str(CONNECTIONS), "-s", str(seconds), "-r", str(RATE)]
    targets = [*run.targets, run.product.capped]
    for target in targets:
        run.load(target, chat(), ["-c", str(CONNECTIONS), "-s", "1"])
    for _ in range(rounds):
        for scenario, options in (("saturated", saturate), ("paced", paced)):
            for target in targets:
                run.keep(scenario, target, run.load(target, chat(), options))


def figures(run: Bench) -> dict[str, dict[str, float]]:
    """Medians a target: cpu (µs a call), busy (share), rate (calls a second), p50, p99 and added (ms)."""
    found = {}
    for target in (*run.targets, run.product.capped):
        saturated, paced = run.samples["saturated", target.name], run.samples["paced", target.name]
        found[target.name] = {
            "cpu": median(sample.cpu_a_call for sample in saturated),
            "busy": median(sample.busy for sample in saturated),
            "rate": median(sample.load.calls * 1e6 / sample.load.microseconds for sample in saturated),
            "p50": median(sample.load.latency_p50 / 1000 for sample in paced),
            "p99": median(sample.load.latency_p99 / 1000 for sample in paced),
        }
    for name, values in found.items():
        direct = run.samples["paced", "direct"]
        pairs = zip(run.samples["paced", name], direct, strict=True)
        values["added"] = median((one.load.latency_p50 - base.load.latency_p50) / 1000 for one, base in pairs)
    return found


def show(run: Bench) -> None:
    """Print the tables and how the figures stand to the goals."""
    found = figures(run)
    nginx = found.get("nginx", {}).get("cpu", float("nan"))
    measured = {name: values for name, values in found.items() if name != "direct"}
    print_table(
        f"Saturated: {CONNECTIONS} connections, 1 KB each way (direct: {found['direct']['rate']:,.0f} calls/s)",
        ["", "CPU a call", "× nginx", "calls/s", "of a core"],
        [
            [name, f"{v['cpu']:.1f} µs", f"{v['cpu'] / nginx:.2f}", f"{v['rate']:,.0f}", f"{v['busy']:.0%}"]
            for name, v in measured.items()
        ],
    )
    print_table(
        f"Paced: {RATE} calls a second, timed from when each was due",
        ["", "p50", "p99", "added to p50"],
        [[name, f"{v['p50']:.2f} ms", f"{v['p99']:.2f} ms", f"{v['added']:.2f} ms"] for name, v in found.items()],
    )
    print(f"\nEach of the gateway's {run.calls:,} calls is one event in the ledger.")
    for name, goal in CPU_GOALS.items():
        if "nginx" in found:
            judge(f"CPU a call, {name}, times nginx:", found[name]["cpu"] / nginx, goal)
    for name, goal in ADDED_GOALS.items():
        judge(f"Added to the p50, {name}, ms:", found[name]["added"], goal)


def main() -> None:
    """Measure and print."""
    chosen = arguments(__doc__)
    with bench() as run:
        measure(run, 1 if chosen.quick else chosen.rounds, 2 if chosen.quick else 4)
        show(run)


if __name__ == "__main__":
    run(main)
