"""A spool that cannot grow while PostgreSQL is away: running calls end, and nothing unwritten is forwarded."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults import strikes
from tests.faults.conftest import FULL, StartRun
from tests.faults.product import Product
from tests.faults.test_capped import assert_whole_or_refused, refused, tell
from tests.faults.test_kills import struck

SECONDS = 8 if FULL else 3
SHARE = 1 << 20
"""Bytes: the least that SPOOL_MAX_BYTES may be, some ten seconds of calls."""

pytestmark = pytest.mark.faults


def test_a_full_disk_loses_no_call(product: Product, start_run: StartRun) -> None:
    run = start_run("PostgreSQL away and the disk full", seconds=(0.5, 2))
    said = product.log.stat().st_size
    struck(run, strikes.full_disk(SECONDS), 2 if FULL else 1)
    assert refused(run)
    assert_whole_or_refused(run)
    assert not run.row.verdict.estimated
    tell(run)
    log = product.log.read_bytes()[said:].decode()
    assert "The spool takes no more lines" in log
    assert product.agrees()


@pytest.fixture
def small_share(product: Product) -> Iterator[None]:
    """The product with little room for its spool."""
    try:
        product.restart(SPOOL_MAX_BYTES=str(SHARE))
        yield
    finally:
        product.environment.pop("SPOOL_MAX_BYTES")
        product.restart()


@pytest.mark.skipif(not FULL, reason="part of `make faults`")
def test_a_full_share_loses_no_call(small_share: None, product: Product, start_run: StartRun) -> None:
    run = start_run("PostgreSQL away until the spool is full", seconds=(0.2, 0.6), plain_seconds=0.1)
    struck(run, strikes.full_share, 1)
    assert refused(run)
    assert_whole_or_refused(run)
    assert not run.row.verdict.estimated
    tell(run)
    assert product.agrees()
