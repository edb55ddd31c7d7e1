"""Spool lines that are torn, damaged or there twice: the good ones are recorded once, the bad ones are kept aside."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from tests.faults.conftest import StartRun
from tests.faults.ledger import line_of, records
from tests.faults.product import Product
from tests.faults.run import Run
from tests.faults.strikes import one_worker

GARBAGE = [
    b"\x00\xff not a line of ours",
    b"00000000 " + b'{"kind":"result"}',
    line_of({"kind": "riddle", "id": "?"})[:-1],
    line_of({"kind": "result", "id": "half of one"})[:-1],
]


def damage_the_dead(product: Product) -> int:
    """Kill a gateway process; then garbage, lines that are there already and a torn line follow in its segment.

    The recorder stands still meanwhile, so that it finds all of it at once. Then it finds a copy under another name.
    """
    recorder = product.recorder()
    assert recorder is not None
    recorder.suspend()
    before = {path: path.stat().st_size for path in product.spool.glob("*.spool")}
    product.until(lambda: all(path.stat().st_size > size for path, size in before.items()))
    cut = one_worker(product)
    product.until(product.whole)
    for path in before:
        if not living(product, path):
            lines = path.read_bytes()
            results = b"".join(line_of(record) for record in records(lines) if record["kind"] == "result")
            with path.open("ab") as file:
                file.write(b"\n".join([*GARBAGE, results + line_of({"kind": "result", "id": "torn"})[:-9]]))
            path.with_name(f"{uuid.uuid4()}.000000.spool").write_bytes(lines)
    recorder.resume()
    return cut


def living(product: Product, segment: Path) -> bool:
    """Whether a gateway process has this file open."""
    return any(str(segment) in {file.path for file in worker.open_files()} for worker in product.workers())


@pytest.mark.faults
def test_damaged_and_repeated_lines_change_nothing(product: Product, start_run: StartRun) -> None:
    run: Run = start_run("torn, damaged and repeated spool lines", seconds=(0.5, 1.5))
    kept_before = set(product.spool.glob("*.bad"))
    with run:
        run.strike(damage_the_dead)
    run.judge()
    assert product.agrees()
    (kept,) = set(product.spool.glob("*.bad")) - kept_before
    assert kept.read_bytes() == b"".join(line + b"\n" for line in GARBAGE)
    assert "ends in a torn line of" in product.log.read_text()
