"""The files of a spool: who lives, what stands in them, what was never finished."""

from __future__ import annotations

from pathlib import Path

from metering.spooling import Piece, living, processes, put_aside, read, segment_path, spooled_bytes
from tests.spooled import Process

LIMIT = 1 << 20


def test_processes_are_found_with_their_segments_in_order(tmp_path: Path) -> None:
    first, second = Process(tmp_path), Process(tmp_path)
    for number in (10, 2, 0):
        first.write(b"x\n", segment=number)
    (tmp_path / "recorder.lock").touch()
    (tmp_path / f"{first.name}.000000.bad").touch()
    (tmp_path / "notes.spool").touch()
    found = processes(tmp_path)
    assert [segment.number for segment in found[first.name]] == [0, 2, 10]
    assert found[first.name][0].path == segment_path(tmp_path, first.name, 0)
    assert found[second.name] == []
    assert set(found) == {first.name, second.name}


def test_a_process_lives_as_long_as_it_holds_its_lock(tmp_path: Path) -> None:
    process = Process(tmp_path)
    assert living(tmp_path, process.name)
    process.kill()
    assert not living(tmp_path, process.name)


def test_a_process_without_a_lock_file_is_dead(tmp_path: Path) -> None:
    process = Process(tmp_path)
    (tmp_path / f"{process.name}.lock").unlink()
    assert not living(tmp_path, process.name)


def test_the_size_of_a_spool_is_that_of_its_segments(tmp_path: Path) -> None:
    Process(tmp_path).write(b"x" * 100)
    Process(tmp_path).write(b"x" * 23, segment=4)
    (tmp_path / "kept.bad").write_bytes(b"x" * 1000)
    assert spooled_bytes(tmp_path) == 123


def test_whole_lines_are_read_and_an_unfinished_one_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "some.spool"
    path.write_bytes(b"one\ntwo\r\nthr")
    piece = read(path, 0, LIMIT, final=False)
    assert (piece.lines, piece.end, piece.torn) == ([b"one", b"two\r"], 9, b"")
    assert read(path, 9, LIMIT, final=False).end == 9
    path.write_bytes(b"one\ntwo\r\nthree\n")
    assert read(path, 9, LIMIT, final=False).lines == [b"three"]


def test_an_unfinished_line_is_torn_once_nobody_can_finish_it(tmp_path: Path) -> None:
    path = tmp_path / "some.spool"
    path.write_bytes(b"one\ntw")
    assert read(path, 0, LIMIT, final=True).lines == [b"one"]
    piece = read(path, 4, LIMIT, final=True)
    assert (piece.lines, piece.end, piece.torn) == ([], 6, b"tw")
    assert read(path, 6, LIMIT, final=True).end == 6


def test_a_piece_ends_with_the_last_line_that_fits(tmp_path: Path) -> None:
    path = tmp_path / "some.spool"
    path.write_bytes(b"12345\n" * 10)
    piece = read(path, 0, 20, final=False)
    assert (piece.lines, piece.end) == ([b"12345"] * 3, 18)


def test_a_line_without_end_is_handed_out_in_pieces(tmp_path: Path) -> None:
    path = tmp_path / "some.spool"
    path.write_bytes(b"\0" * 25 + b"\nok\n")
    assert read(path, 0, 10, final=False) == Piece([b"\0" * 10], 10)
    assert read(path, 20, 10, final=False).lines == [b"\0" * 5, b"ok"]


def test_a_file_that_is_shorter_than_what_was_read_holds_nothing_new(tmp_path: Path) -> None:
    path = tmp_path / "some.spool"
    path.write_bytes(b"one\n")
    assert read(path, 100, LIMIT, final=True).end == 100


def test_lines_that_are_put_aside_gather_beside_their_segment(tmp_path: Path) -> None:
    segment = tmp_path / "some.000001.spool"
    assert put_aside(segment, b"first") == tmp_path / "some.000001.bad"
    put_aside(segment, b"second")
    assert (tmp_path / "some.000001.bad").read_bytes() == b"first\nsecond\n"
