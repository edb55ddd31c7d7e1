"""One product and one provider for all fault tests, and the table of what they found.

A few rounds by default; FAULTS=full (`make faults`) makes all of them.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.faults.caps import CAP_HEADS, CapRow
from tests.faults.load import Orders
from tests.faults.product import ROOT, Product
from tests.faults.run import HEADS, Row, Run

FULL = os.environ.get("FAULTS") == "full"
rows: list[Row] = []
cap_rows: list[CapRow] = []
findings: list[str] = []
"""What else was found, a sentence each."""
StartRun = Callable[..., Run]


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the journals are."""
    return tmp_path_factory.mktemp("faults")


@pytest.fixture(scope="session")
def provider(folder: Path) -> Iterator[str]:
    """The address of the provider, which lives through everything."""
    command = [sys.executable, "-m", "tests.faults.provider", str(folder / "provider.jsonl")]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
        process.kill()


@pytest.fixture(scope="session")
def product(folder: Path) -> Iterator[Product]:
    """The product."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port = int(listener.getsockname()[1])
    running = Product(folder / "data", port)
    try:
        running.start()
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="session")
def key(product: Product, provider: str) -> str:
    """A key whose calls go to the provider."""
    return product.key_for(provider)["api_key"]


@pytest.fixture(scope="session")
def capped_key(product: Product, provider: str) -> str:
    """Another one, under a cap that is never reached: its calls need PostgreSQL."""
    return product.key_for(provider, "--cap", "1000000")["api_key"]


@pytest.fixture(scope="module")
def rigged(product: Product) -> Iterator[Product]:
    """The product with processes that tests can get into."""
    product.rig()
    yield product
    product.unrig()


@pytest.fixture
def start_run(product: Product, key: str, folder: Path, request: pytest.FixtureRequest) -> StartRun:
    """A run of its own name in the table; what its clients do may be changed by keyword."""

    def begin(name: str, *, key: str = key, **orders: Any) -> Run:
        row = Row(name)
        rows.append(row)
        journal = str(folder / f"clients-{len(rows)}.jsonl")
        return Run(product, folder, row, Orders(product.port, key, name, journal, **orders))

    return begin


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the tables."""
    for title, heads, lines in (
        ("faults", HEADS, [row.cells() for row in rows]),
        ("caps", CAP_HEADS, [row.cells() for row in cap_rows]),
    ):
        if lines:
            terminalreporter.section(title)
            for cells in (heads, ["---"] * len(heads), *lines):
                terminalreporter.line(f"| {' | '.join(cells)} |")
    for sentence in findings:
        terminalreporter.line(f"- {sentence}")
