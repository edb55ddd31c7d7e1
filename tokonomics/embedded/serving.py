"""Which port `make run` serves on, for commands that are run beside it."""

from __future__ import annotations

from pathlib import Path

from tokonomics.embedded import locks


def lock(data_dir: Path) -> Path:
    """What the product that is served over a DATA_DIR holds as long as it lives."""
    return data_dir / "log" / "serve.lock"


def tell(data_dir: Path, port: int) -> None:
    """Write down the port; for the holder of the lock."""
    _told(data_dir).write_text(str(port))


def served_port(data_dir: Path) -> int | None:
    """The port that a product serves on over this DATA_DIR at this moment; None while none does."""
    if locks.holder(lock(data_dir)) is None:
        return None
    try:
        return int(_told(data_dir).read_text())
    except (OSError, ValueError):
        return None


def _told(data_dir: Path) -> Path:
    return data_dir / "log" / "serve.port"
