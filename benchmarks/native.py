"""The provider and the load generator: C programs beside this file, compiled for the run, cheaper than any target."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import psutil
from support import START_SECONDS, CannotMeasure, stop

HERE = Path(__file__).resolve().parent
GRACE_SECONDS = 90


@dataclass(frozen=True, slots=True)
class Load:
    """What the load generator saw; times in microseconds, from when a call or an event was due."""

    calls: int
    errors: int
    first_error: str
    microseconds: int
    latency_p50: int
    latency_p99: int
    events: int
    on_time: int
    late_p50: int
    late_p99: int


def compiled(name: str, folder: Path) -> str:
    """The program made of `name`.c in a folder; raises CannotMeasure without a C compiler or when it cannot be made."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        raise CannotMeasure("The load generator is written in C: install a compiler (cc, gcc or clang) and run again.")
    program = folder / name
    done = subprocess.run(
        [compiler, "-O2", "-o", str(program), str(HERE / f"{name}.c")], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise CannotMeasure(f"{name}.c cannot be compiled (Linux 5.11 and glibc 2.35 are needed):\n{done.stderr}")
    return str(program)


def port_of(provider: psutil.Popen, log: Path) -> int:
    """The port that the provider chose and wrote to its log."""
    try:
        provider.wait(timeout=0.2)
    except psutil.TimeoutExpired:
        return int(log.read_text())
    raise CannotMeasure(f"The provider did not start: {log.read_text().strip()}")


def make_load(
    program: str, port: int, request: Path, options: list[str], when_open: Callable[[], None] | None = None
) -> Load:
    """Run the load generator; `when_open` is called once when all its streams are open. Raises CannotMeasure."""
    process = psutil.Popen([program, str(port), str(request), *options], stdout=subprocess.PIPE, text=True)
    output: IO[str] = process.stdout
    try:
        line = output.readline()
        if line.startswith("open "):
            if when_open:
                when_open()
            line = output.readline()
        process.wait(timeout=START_SECONDS + GRACE_SECONDS)
    finally:
        if process.is_running():
            stop(process)
        output.close()
    if not line:
        raise CannotMeasure("The load generator ended without a result.")
    return Load(**json.loads(line))
