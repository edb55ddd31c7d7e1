"""Real engines over real folders: each test starts PostgreSQL or Redis and looks at what is there."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import psycopg
import pytest

from tokonomics import embedded
from tokonomics.embedded import Engine, EngineFailed, Postgres, Redis, locks
from tokonomics.embedded.folders import make_folders
from tokonomics.environment import socket_directory


def query(engine: Postgres, statement: str) -> list[tuple[object, ...]]:
    """The rows that a statement gives in the product's database."""
    host = str(engine.sockets)
    with psycopg.connect(host=host, user="tokonomics", dbname="tokonomics", autocommit=True) as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


def pid_of(engine: Engine) -> int:
    """The first process of a running engine."""
    pid = locks.holder(embedded.lock_of(engine))
    assert pid
    return pid


def until(condition: Callable[[], bool]) -> None:
    """Wait for something that must happen."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "it did not happen within a minute"
        time.sleep(0.02)


@pytest.fixture
def postgres(tmp_path: Path) -> Postgres:
    return Postgres(tmp_path / "data", durable=False)


@pytest.fixture
def redis(tmp_path: Path) -> Redis:
    return Redis(tmp_path / "data")


def test_both_engines_serve_and_stop(postgres: Postgres, redis: Redis) -> None:
    with embedded.engines([postgres, redis]):
        assert str(query(postgres, "SHOW server_version")[0][0]).startswith("18.")
        assert redis.ready()
    assert not embedded.running(postgres)
    assert not embedded.running(redis)
    assert not redis.ready()


def test_data_outlives_a_kill_of_all_processes(tmp_path: Path) -> None:
    engine = Postgres(tmp_path / "data")
    with embedded.engines([engine]):
        query(engine, "CREATE TABLE kept (n int)")
        query(engine, "INSERT INTO kept VALUES (42)")
        processes = [psutil.Process(pid_of(engine)), *psutil.Process(pid_of(engine)).children(recursive=True)]
        for process in processes:
            process.kill()
        until(lambda: not embedded.running(engine))
    with embedded.engines([engine]):
        assert query(engine, "SELECT n FROM kept") == [(42,)]


def test_a_second_user_finds_it_running_and_the_last_one_stops_it(postgres: Postgres) -> None:
    with embedded.engines([postgres]):
        pid = pid_of(postgres)
        with embedded.engines([postgres]):
            assert pid_of(postgres) == pid
        assert query(postgres, "SELECT 1") == [(1,)]
    assert not embedded.running(postgres)


def test_starts_at_the_same_moment_give_one_engine(postgres: Postgres) -> None:
    together, found = threading.Barrier(3), []

    def use() -> None:
        together.wait()
        with embedded.engines([postgres]):
            found.append(pid_of(postgres))
            together.wait()

    threads = [threading.Thread(target=use) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 3
    assert len(set(found)) == 1


def test_a_pid_file_that_names_a_living_stranger_is_no_obstacle(postgres: Postgres) -> None:
    with embedded.engines([postgres]):
        pid_file = (postgres.data / "postmaster.pid").read_text()
    stale = pid_file.replace(pid_file.split("\n", 1)[0], str(os.getppid()), 1)
    (postgres.data / "postmaster.pid").write_text(stale)
    with embedded.engines([postgres]):
        assert query(postgres, "SELECT 1") == [(1,)]


def test_an_interrupted_first_start_is_made_anew(postgres: Postgres) -> None:
    draft = postgres.data_dir / "postgres.new"
    draft.mkdir(parents=True)
    (draft / "PG_VERSION").write_text("18\n")
    with embedded.engines([postgres]):
        assert query(postgres, "SELECT 1") == [(1,)]
    assert not draft.exists()


def test_a_long_path_is_no_obstacle(tmp_path: Path) -> None:
    engine = Postgres(tmp_path / ("long " * 30) / "data", durable=False)
    with embedded.engines([engine, Redis(engine.data_dir)]):
        assert query(engine, "SELECT 1") == [(1,)]
        assert socket_directory(engine.data_dir).parent == Path("/tmp")
    shutil.rmtree(socket_directory(engine.data_dir))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make what others cannot pass through")
def test_root_needs_no_folder_opened_for_postgresql(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    engine = Postgres(closed / "data", durable=False)
    with embedded.engines([engine]):
        assert psutil.Process(pid_of(engine)).uids().effective != 0
        assert query(engine, "SELECT 1") == [(1,)]
    assert closed.stat().st_mode & 0o077 == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can run on another user's data")
def test_root_leaves_data_with_its_owner(postgres: Postgres) -> None:
    with embedded.engines([postgres]):
        owner = postgres.data.stat().st_uid
    for folder, _, files in os.walk(postgres.data):
        for entry in (folder, *(os.path.join(folder, file) for file in files)):
            os.chown(entry, 12345, 12345)
    with embedded.engines([postgres]):
        assert query(postgres, "SELECT 1") == [(1,)]
        assert psutil.Process(pid_of(postgres)).uids().effective == 12345 != owner


def test_sockets_are_closed_to_other_users(postgres: Postgres, redis: Redis) -> None:
    with embedded.engines([postgres, redis]):
        assert postgres.sockets.stat().st_mode & 0o077 == 0
        assert redis.socket.stat().st_mode & 0o077 == 0


def test_neither_listens_on_the_network(postgres: Postgres, redis: Redis) -> None:
    with embedded.engines([postgres, redis]):
        for engine in (postgres, redis):
            assert psutil.Process(pid_of(engine)).net_connections("inet") == []


def test_a_folder_of_another_version_is_named(postgres: Postgres) -> None:
    postgres.data.mkdir(parents=True)
    (postgres.data / "PG_VERSION").write_text("15\n")
    with pytest.raises(EngineFailed, match="was written by PostgreSQL 15 and this is 18"), embedded.engines([postgres]):
        pass


def test_a_data_dir_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EngineFailed, match="set DATA_DIR to a folder of yours"):
        make_folders(tmp_path / "file" / "data")


def test_a_folder_of_a_stranger_in_tmp_is_refused(tmp_path: Path) -> None:
    long = tmp_path / ("x" * 100)
    make_folders(long)
    (theirs := socket_directory(long)).rmdir()
    theirs.symlink_to(tmp_path)
    with pytest.raises(EngineFailed, match="belongs to another user"):
        make_folders(long)
    theirs.unlink()


def test_redis_keeps_what_it_was_given(redis: Redis) -> None:
    def say(words: bytes) -> bytes:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(redis.socket))
            connection.sendall(words + b"\r\n")
            return connection.recv(64)

    with embedded.engines([redis]):
        assert say(b"SET kept yes") == b"+OK\r\n"
    with embedded.engines([redis]):
        assert say(b"GET kept") == b"$3\r\nyes\r\n"


def test_a_process_that_stands_by_takes_over(redis: Redis) -> None:
    make_folders(redis.data_dir)
    with embedded.engines([redis]):
        first = pid_of(redis)
        standby = psutil.Popen(embedded.command_of(redis, wait=True), cwd=Path(__file__).parents[3])
        os.kill(first, signal.SIGKILL)
        until(lambda: locks.holder(embedded.lock_of(redis)) == standby.pid and redis.ready())
    assert standby.wait(10) == 0
