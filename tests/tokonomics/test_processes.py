from __future__ import annotations

import io
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tokonomics.processes import LONGEST_PAUSE, Keeper, Kept, Output, Part, describe_exit

SLEEP = (sys.executable, "-c", "import time; print('up', flush=True); time.sleep(600)")
STUBBORN = (
    sys.executable,
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(600)",
)


class Terminal(io.BytesIO):
    """What was printed, also while other threads print."""

    @property
    def lines(self) -> list[str]:
        return self.getvalue().decode().splitlines()


@pytest.fixture
def terminal() -> Terminal:
    return Terminal()


@pytest.fixture
def keeper(terminal: Terminal) -> Iterator[Keeper]:
    keeper = Keeper(Output(terminal))
    yield keeper
    for kept in keeper.kept:
        kept.kill()


def shown(terminal: Terminal, line: str) -> Callable[[], bool]:
    return lambda: line in terminal.lines


def test_lines_carry_the_name_of_their_part(keeper: Keeper, terminal: Terminal) -> None:
    keeper.add(Part("gateway", (*SLEEP[:2], "import sys; print('one'); print('two', file=sys.stderr); sys.exit()")))
    assert keeper.wait(shown(terminal, "gateway   | one"), 30)
    assert keeper.wait(shown(terminal, "gateway   | two"), 30)


def test_a_killed_part_starts_again(keeper: Keeper, terminal: Terminal) -> None:
    kept = keeper.add(Part("site", SLEEP))
    assert keeper.wait(shown(terminal, "site      | up"), 30)
    assert kept.process is not None
    first = kept.process.pid
    kept.process.kill()
    assert keeper.wait(lambda: terminal.lines.count("site      | up") == 2, 30)
    assert kept.process.pid != first
    assert "site      | was killed by SIGKILL after 0 s; starts again in 0.5 s" in terminal.lines


def test_a_part_that_fails_at_once_is_tried_with_growing_pauses(terminal: Terminal) -> None:
    kept = Kept(Part("worker", (sys.executable, "-c", "raise SystemExit(3)")), Output(terminal))
    now, pauses = 1000.0, []
    for _ in range(8):
        kept.tend(now)
        assert kept.process is not None
        kept.process.wait()
        kept.tend(now)
        pauses.append(kept.next_start - now)
        assert kept.process is None
        now = kept.next_start
    assert pauses == [0.5, 1, 2, 4, 8, LONGEST_PAUSE, LONGEST_PAUSE, LONGEST_PAUSE]


def test_a_part_that_lived_for_long_is_tried_at_once_again(terminal: Terminal) -> None:
    kept = Kept(Part("worker", (sys.executable, "-c", "")), Output(terminal))
    kept.failures = 7
    kept.tend(1000.0)
    assert kept.process is not None
    kept.process.wait()
    kept.tend(1011.0)
    assert (kept.failures, kept.next_start) == (1, 1011.5)


def test_a_part_is_asked_by_its_own_signal(keeper: Keeper, terminal: Terminal) -> None:
    program = (
        "import signal, time\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "try:\n print('up', flush=True)\n time.sleep(600)\nexcept KeyboardInterrupt:\n print('bye')"
    )
    keeper.add(Part("postgres", (sys.executable, "-c", program), stop_signal=signal.SIGINT))
    keeper.wait(shown(terminal, "postgres  | up"), 30)
    keeper.stop(["postgres"])
    assert keeper.wait(shown(terminal, "postgres  | bye"), 30)


def test_a_part_that_does_not_stop_in_time_is_killed(keeper: Keeper, terminal: Terminal) -> None:
    kept = keeper.add(Part("site", STUBBORN, stop_seconds=0.2))
    keeper.wait(shown(terminal, "site      | up"), 30)
    keeper.stop(["site"])
    assert not kept.running()
    assert "site      | killed, as it did not stop in time" in terminal.lines


def test_a_second_request_to_stop_waits_for_nothing(keeper: Keeper, terminal: Terminal) -> None:
    kept = keeper.add(Part("site", STUBBORN, stop_seconds=600))
    keeper.wait(shown(terminal, "site      | up"), 30)
    keeper.ask_to_stop()
    keeper.ask_to_stop()
    started = time.monotonic()
    keeper.stop(["site"])
    assert time.monotonic() - started < 300
    assert not kept.running()


def test_only_the_named_parts_are_stopped(keeper: Keeper) -> None:
    site, gateway = keeper.add(Part("site", SLEEP)), keeper.add(Part("gateway", SLEEP))
    keeper.stop(["gateway"])
    assert (site.running(), gateway.running()) == (True, False)


def test_killing_a_part_kills_what_it_has_started(keeper: Keeper, terminal: Terminal) -> None:
    program = f"import subprocess; subprocess.run({list(SLEEP)!r})"
    kept = keeper.add(Part("site", (sys.executable, "-c", program)))
    keeper.wait(shown(terminal, "site      | up"), 30)
    assert kept.process is not None
    (child,) = psutil.Process(kept.process.pid).children()
    kept.kill()
    assert child.wait(30) is None
    assert not child.is_running()


def test_waiting_ends_when_a_stop_is_asked_for(keeper: Keeper) -> None:
    keeper.ask_to_stop()
    assert not keeper.wait(lambda: True)


def test_waiting_ends_when_the_time_runs_out(keeper: Keeper) -> None:
    assert not keeper.wait(lambda: False, 0.01)


def test_a_closed_terminal_is_no_error(tmp_path: Path) -> None:
    with (tmp_path / "terminal").open("wb") as stream:
        output = Output(stream)
    output.say("site", "unheard")


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (0, "ended with code 0"),
        (3, "ended with code 3"),
        (-9, "was killed by SIGKILL"),
        (-250, "was killed by signal 250"),
    ],
)
def test_an_exit_code_is_told_in_words(code: int, text: str) -> None:
    assert describe_exit(code) == text
