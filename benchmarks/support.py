"""What the benchmarks share: the processors, processes that are measured and stopped, medians and a table."""

from __future__ import annotations

import contextlib
import http.client
import os
import resource
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from http import HTTPStatus
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parent.parent
STOP_SECONDS = 20
START_SECONDS = 30


class CannotMeasure(Exception):
    """The figures cannot be had on this machine, or would be wrong; the text says why."""


def run(main: Callable[[], None]) -> None:
    """Run a benchmark; what keeps it from measuring ends it with one sentence and exit status 1."""
    try:
        main()
    except CannotMeasure as reason:
        sys.exit(str(reason))
    except KeyboardInterrupt:
        sys.exit(130)


def share_processors() -> tuple[int, list[int]]:
    """The processor of what is measured, and those of all else, to which this process and its children now keep."""
    if sys.platform != "linux":
        raise CannotMeasure("The benchmarks read /proc and pin processes: run them on Linux.")
    first, *others = sorted(os.sched_getaffinity(0))
    if not others:
        raise CannotMeasure("The benchmarks need two processors: one for what is measured, one for the load.")
    os.sched_setaffinity(0, others)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return first, others


def need_open_files(count: int) -> None:
    """Raise CannotMeasure when a process may not hold that many files and sockets open."""
    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if allowed < count:
        raise CannotMeasure(f"{count} open files are needed and {allowed} allowed: raise the limit with ulimit -n.")


@contextlib.contextmanager
def started(
    command: Sequence[str], log: Path, processor: int | None = None, environment: Mapping[str, str] | None = None
) -> Iterator[psutil.Popen]:
    """A process with its output in a log, pinned to a processor if one is given; stopped at the end."""
    pinned = [] if processor is None else ["taskset", "-c", str(processor)]
    with log.open("ab") as output:
        process = psutil.Popen(
            [*pinned, *command],
            stdout=output,
            stderr=output,
            stdin=subprocess.DEVNULL,
            cwd=ROOT,
            env={**os.environ, **(environment or {})},
        )
    try:
        yield process
    finally:
        stop(process)


def stop(process: psutil.Popen) -> None:
    """Ask a process to stop, wait, and kill what is left of it and its children."""
    living = tree(process)
    with contextlib.suppress(psutil.NoSuchProcess):
        process.terminate()
    _, left = psutil.wait_procs(living, timeout=STOP_SECONDS)
    for straggler in left:
        with contextlib.suppress(psutil.NoSuchProcess):
            straggler.kill()
    process.wait()


def free_port() -> int:
    """A loopback port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def await_answer(port: int, path: str, process: psutil.Popen, log: Path) -> None:
    """Wait until the process answers a GET with 200; raises CannotMeasure, with the end of its log, if it does not."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if answers(port, path):
            return
        time.sleep(0.1)
    lines = log.read_text(errors="replace").splitlines()[-15:]
    raise CannotMeasure("\n".join([f"Nothing answers on port {port}. {log.name} ends with:", *lines]))


def answers(port: int, path: str) -> bool:
    """Whether a GET is answered with 200 now."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def tree(process: psutil.Process) -> list[psutil.Process]:
    """A process and all below it; empty when it is gone."""
    try:
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def cpu_seconds(process: psutil.Process) -> float:
    """Processor time of a process and all below it, user and system, in seconds."""
    total = 0.0
    for member in tree(process):
        with contextlib.suppress(psutil.NoSuchProcess):
            times = member.cpu_times()
            total += times.user + times.system
    return total


def memory_kib(process: psutil.Process) -> float:
    """Memory of a process and all below it in KiB, shared pages counted once (PSS)."""
    total = 0
    for member in tree(process):
        with contextlib.suppress(psutil.NoSuchProcess):
            total += member.memory_full_info().pss
    return total / 1024


def median(values: Iterable[float]) -> float:
    """The middle of the values; nan of none."""
    found = list(values)
    return statistics.median(found) if found else float("nan")


def print_table(title: str, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A title, and columns: the first to the left, the others to the right."""
    lines = [list(heads), *map(list, rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    print(f"\n{title}")
    for first, *others in lines:
        cells = [text.rjust(width) for text, width in zip(others, widths[1:], strict=True)]
        print("  ".join([first.ljust(widths[0]), *cells]).rstrip())


def judge(text: str, value: float, goal: float, *, least: bool = False) -> None:
    """One line: what was measured, the goal, and whether it is met."""
    met = value >= goal if least else value <= goal
    print(f"{text} {value:,.2f}, goal {'≥' if least else '≤'} {goal:g}: {'met' if met else 'MISSED'}")
