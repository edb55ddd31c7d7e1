"""The spool as a gateway process writes it: on real files, with a disk that runs full and one that fails."""

from __future__ import annotations

import asyncio
import logging
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from metering.gateway import spool as module
from metering.gateway.spool import Spool, SpoolFull
from metering.spooling import living, processes, spooled_bytes

MIB = 1 << 20
OpenSpool = Callable[..., Spool]


@pytest.fixture
def open_spool(tmp_path: Path) -> Iterator[OpenSpool]:
    opened: list[Spool] = []

    def begin(max_bytes: int = 64 * MIB, *, sync: bool = False) -> Spool:
        spool = Spool(tmp_path / "spool", max_bytes, sync)
        spool.open()
        opened.append(spool)
        return spool

    yield begin
    for spool in opened:
        spool.close()


def content(spool: Spool) -> list[bytes]:
    return [segment.path.read_bytes() for segment in processes(spool.directory)[spool.process]]


@contextmanager
def disk_of(bytes_in_a_file: int) -> Iterator[None]:
    """No file may grow beyond a size meanwhile: the write that would is cut short, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (bytes_in_a_file, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_lines_stand_in_the_file_in_their_order(open_spool: OpenSpool) -> None:
    spool = open_spool()
    for number in range(100):
        spool.append(b"line %d\n" % number)
    assert content(spool) == [b"".join(b"line %d\n" % number for number in range(100))]


def test_a_process_is_seen_living_until_it_closes(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", MIB, False)
    spool.open()
    assert living(spool.directory, spool.process)
    assert not list(spool.directory.glob("*.new"))
    spool.close()
    assert not living(spool.directory, spool.process)


def test_nobody_else_may_read_the_spool(open_spool: OpenSpool) -> None:
    spool = open_spool()
    modes = {path.stat().st_mode & 0o777 for path in (spool.directory, *spool.directory.iterdir())}
    assert modes == {0o700, 0o600}


def test_two_processes_keep_apart(open_spool: OpenSpool) -> None:
    first, second = open_spool(), open_spool()
    first.append(b"first\n")
    second.append(b"second\n")
    assert (content(first), content(second)) == ([b"first\n"], [b"second\n"])


def test_a_full_segment_is_followed_by_the_next(open_spool: OpenSpool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SEGMENT_BYTES", 20)
    spool = open_spool()
    for line in (b"0123456789\n", b"012345678\n", b"x" * 30 + b"\n", b"end\n"):
        spool.append(line)
    assert content(spool) == [b"0123456789\n", b"012345678\n", b"x" * 30 + b"\n", b"end\n"]


def test_a_line_that_the_disk_has_no_room_for_leaves_nothing_behind(open_spool: OpenSpool) -> None:
    spool = open_spool()
    spool.append(b"first\n")
    with disk_of(10), pytest.raises(SpoolFull, match="cannot be written"):
        spool.append(b"this one does not fit\n")
    assert content(spool) == [b"first\n"]
    spool.append(b"second\n")
    assert content(spool) == [b"first\nsecond\n"]


def test_the_spool_is_full_when_all_processes_have_used_it_up(open_spool: OpenSpool) -> None:
    spool, other = open_spool(1000), open_spool(1000)
    other.append(b"x" * 900)
    assert not spool.full
    spool.append(b"x" * 200)
    spool._look_at = 0
    assert spool.full
    spool.append(b"a result is still written\n")
    assert spooled_bytes(spool.directory) > 1100


def test_the_size_is_looked_at_once_a_second(open_spool: OpenSpool) -> None:
    spool = open_spool(10)
    assert not spool.full
    spool.append(b"x" * 20)
    assert not spool.full


def test_a_full_spool_goes_on_in_a_segment_that_is_empty(
    open_spool: OpenSpool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LOOK_SECONDS", 0)
    spool = open_spool(max_bytes=100)
    spool.append(b"x" * 100)
    assert spool.full
    assert spool.full
    first, second = processes(spool.directory)[spool.process]
    assert (first.path.stat().st_size, second.path.stat().st_size) == (100, 0)
    first.path.unlink()  # as the recorder does with what is recorded and followed by another
    assert not spool.full
    spool.append(b"y")
    assert content(spool) == [b"y"]


def test_a_directory_that_is_gone_counts_as_full(open_spool: OpenSpool, caplog: pytest.LogCaptureFixture) -> None:
    spool = open_spool()
    spool.directory.rename(spool.directory.with_name("gone"))
    with caplog.at_level(logging.CRITICAL):
        assert spool.full
    assert "cannot be looked at" in caplog.text


def test_all_who_wait_are_told_when_their_lines_are_on_the_disk(
    open_spool: OpenSpool, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []

    def flush(descriptor: int) -> None:
        os.fdatasync(descriptor)
        synced.append(os.fstat(descriptor).st_size)

    monkeypatch.setattr(module, "flush", flush)

    enough: list[bool] = []

    def told(size: int, _: asyncio.Future[None]) -> None:
        enough.append(synced[-1] >= size)

    async def write() -> None:
        spool = open_spool(sync=True)
        for number in range(50):
            spool.append(b"0123456789\n")
            size = (number + 1) * 11
            spool.synced().add_done_callback(partial(told, size))
        await spool.synced()

    asyncio.run(write())
    assert enough == [True] * 50
    assert len(synced) <= 4


def test_lines_put_in_one_turn_are_written_together_and_told_in_order(
    open_spool: OpenSpool, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[int, bool]] = []
    writes: list[bytes] = []
    write = os.write

    def watched(descriptor: int, data: bytes) -> int:
        writes.append(data)
        return write(descriptor, data)

    async def put() -> None:
        spool = open_spool()
        monkeypatch.setattr(os, "write", watched)
        for number in range(3):
            spool.put(b"%d\n" % number, lambda written, number=number: told.append((number, written)))  # type: ignore[misc]
        assert told == []
        await asyncio.sleep(0.01)

    asyncio.run(put())
    assert b"0\n1\n2\n" in writes
    assert told == [(0, True), (1, True), (2, True)]


def test_of_lines_put_together_those_are_written_that_fit(
    open_spool: OpenSpool, caplog: pytest.LogCaptureFixture
) -> None:
    told: list[bool] = []
    spools: list[Spool] = []

    async def put() -> None:
        spools.append(open_spool())
        for line in (b"first\n", b"this one does not fit\n", b"last\n"):
            spools[0].put(line, told.append)
        with disk_of(12):
            await asyncio.sleep(0.01)

    asyncio.run(put())
    assert sorted(told) == [False, True, True]
    assert content(spools[0]) == [b"first\nlast\n"]
    assert "takes no more lines" in caplog.text


def test_one_who_stumbles_over_the_news_keeps_it_from_nobody(
    open_spool: OpenSpool, caplog: pytest.LogCaptureFixture
) -> None:
    told: list[bool] = []

    def stumble(written: bool) -> None:
        raise RuntimeError("a bug")

    async def put() -> None:
        spool = open_spool()
        spool.put(b"first\n", stumble)
        spool.put(b"second\n", told.append)
        await asyncio.sleep(0.01)

    asyncio.run(put())
    assert told == [True]
    assert "this is a bug" in caplog.text


def test_what_was_put_before_the_end_is_written_at_the_end(tmp_path: Path) -> None:
    told: list[bool] = []
    spool = Spool(tmp_path / "spool", 64 * MIB, sync=False)
    spool.open()

    async def put() -> None:
        spool.put(b"last\n", told.append)
        spool.close()

    asyncio.run(put())
    assert told == [True]
    assert content(spool) == [b"last\n"]


def test_a_segment_that_is_left_is_brought_to_the_disk_too(
    open_spool: OpenSpool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SEGMENT_BYTES", 20)
    inodes: set[int] = set()
    monkeypatch.setattr(module, "flush", lambda descriptor: inodes.add(os.fstat(descriptor).st_ino))

    async def write() -> Spool:
        spool = open_spool(sync=True)
        for _ in range(5):
            spool.append(b"0123456789\n")
        await spool.synced()
        return spool

    spool = asyncio.run(write())
    assert inodes == {segment.path.stat().st_ino for segment in processes(spool.directory)[spool.process]}


def test_a_disk_that_fails_makes_the_spool_full_for_a_while(
    open_spool: OpenSpool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    async def write() -> tuple[bool, bool, bool]:
        spool = open_spool(sync=True)
        before = spool.full
        monkeypatch.setattr(module, "flush", fail)
        spool.append(b"line\n")
        await spool.synced()
        during = spool.full
        monkeypatch.setattr(module, "flush", os.fdatasync)
        spool._look_at = spool._broken_until = 0
        return before, during, spool.full

    assert asyncio.run(write()) == (False, True, False)
    assert "The disk of the spool" in caplog.text


WRITER = """
import sys
from pathlib import Path
from metering.gateway.spool import Spool

spool = Spool(Path(sys.argv[1]), 1 << 30, False)
spool.open()
number = 0
while True:
    spool.append(b"line %d\\n" % number)
    number += 1
    if number % 1000 == 0:
        print(number, flush=True)
"""


def test_what_was_appended_survives_a_kill(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    said = [int(process.stdout.readline()) for _ in range(5)][-1]
    process.send_signal(signal.SIGKILL)
    process.wait()
    said = int((process.stdout.read().split() or [said])[-1])
    process.stdout.close()
    ((name, (segment,)),) = processes(tmp_path).items()
    assert not living(tmp_path, name)
    lines = segment.path.read_bytes().splitlines()
    assert lines[:said] == [b"line %d" % number for number in range(said)]


def test_the_writer_knows_no_django() -> None:
    code = "import sys, metering.gateway.spool; sys.exit('django' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
