"""The folders of a DATA_DIR, made so that no other user of the machine can read or replace what is in them."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from tokonomics.environment import socket_directory


class EngineFailed(Exception):
    """An embedded engine cannot run here; the text says why and what to do."""


def make_folders(data_dir: Path) -> None:
    """Make DATA_DIR with the folders for logs and sockets; raises EngineFailed when that is not possible."""
    try:
        data_dir.mkdir(mode=0o711 if os.geteuid() == 0 else 0o700, parents=True, exist_ok=True)
        (data_dir / "log").mkdir(mode=0o700, exist_ok=True)
        _make(socket_directory(data_dir), data_dir)
        if not os.access(data_dir / "log", os.R_OK | os.W_OK | os.X_OK):
            raise EngineFailed(f"DATA_DIR {data_dir} belongs to another user: set DATA_DIR to a folder of yours.")
    except OSError as error:
        raise EngineFailed(
            f"DATA_DIR {data_dir} cannot be used ({error}): set DATA_DIR to a folder of yours."
        ) from error


def _make(folder: Path, data_dir: Path) -> None:
    """Root's folder may be passed through, as its PostgreSQL runs as another user; in /tmp it might be a stranger's."""
    folder.mkdir(mode=0o711 if os.geteuid() == 0 else 0o700, exist_ok=True)
    found = folder.lstat()
    if folder.parent != data_dir and (not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid()):
        raise EngineFailed(f"{folder} belongs to another user: remove it, or set DATA_DIR to a shorter path.")
