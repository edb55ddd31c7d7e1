from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tokonomics.embedded import locks

HOLD = """
import pathlib, sys, time
from tokonomics.embedded import locks
locks.sign(locks.take(pathlib.Path(sys.argv[1])))
print("held", flush=True)
time.sleep(600)
"""


def test_a_free_lock_has_no_holder(tmp_path: Path) -> None:
    assert locks.holder(tmp_path / "lock") is None


def test_a_lock_names_the_process_that_signed_it(tmp_path: Path) -> None:
    with locks.sole(tmp_path / "lock") as ours:
        assert ours
        assert locks.holder(tmp_path / "lock") == os.getpid()
    assert locks.holder(tmp_path / "lock") is None


def test_a_lock_is_not_taken_twice(tmp_path: Path) -> None:
    with locks.sole(tmp_path / "lock"), locks.sole(tmp_path / "lock") as ours:
        assert not ours


def test_sharers_keep_out_one_who_wants_it_alone(tmp_path: Path) -> None:
    one = locks.take(tmp_path / "lock", shared=True)
    other = locks.take(tmp_path / "lock", shared=True, wait=False)
    assert one is not None
    assert other is not None
    assert locks.take(tmp_path / "lock", wait=False) is None
    os.close(one)
    os.close(other)
    alone = locks.take(tmp_path / "lock", wait=False)
    assert alone is not None
    os.close(alone)


def test_the_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    words = [sys.executable, "-c", HOLD, str(tmp_path / "lock")]
    with subprocess.Popen(words, cwd=Path(__file__).parents[3], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        assert locks.holder(tmp_path / "lock") == process.pid
        process.kill()
    assert locks.holder(tmp_path / "lock") is None
