"""Many streams at once against one cap: it is never passed at any look, and nearly all of it can be used.

The provider honours the limit on the output, as real ones do; what each call costs is worked out from its own words.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from uuid import uuid4

import pytest

from tests.faults.caps import CAP, FINAL, Capped, CapRow, Outcome, at_once, capped_key, charging
from tests.faults.conftest import FULL, cap_rows
from tests.faults.product import Product
from tests.upstreams.provider import Provider

USABLE = 0.97
CLIENTS = [1, 8, 32, 64] if FULL else [32]

pytestmark = pytest.mark.faults


@pytest.fixture
def outcome() -> Outcome:
    return Outcome()


@pytest.fixture
def upstream(outcome: Outcome) -> Iterator[Provider]:
    with charging(outcome) as server:
        yield server


def tell(name: str, capped: Capped, cap: int = CAP) -> None:
    """Add a line to the table."""
    outcome = capped.outcome
    held = sum(reserved for _, reserved in capped.quiet())
    waits = sum(refusal.code == "budget_reserved" for refusal in outcome.refused)
    shares = outcome.most, outcome.spent / cap
    cap_rows.append(CapRow(name, len(outcome.charged), *shares, outcome.overshoot, held, waits, len(outcome.phantoms)))


def assert_right(capped: Capped, clients: int) -> None:
    """What holds of every run: sums, no odd answer, no refusal without a reason."""
    outcome = capped.outcome
    assert capped.quiet() == [(outcome.spent, 0), (outcome.spent, 0)]
    assert outcome.odd == []
    assert outcome.phantoms == []
    assert all(refusal.reserved <= clients * 2 * outcome.amount for refusal in outcome.refused)
    assert capped.product.agrees()


@pytest.mark.parametrize("clients", CLIENTS)
def test_no_cap_is_passed_and_nearly_all_of_it_is_used(
    product: Product, upstream: Provider, outcome: Outcome, clients: int
) -> None:
    capped = capped_key(product, upstream, outcome, workspace_cap=10 * CAP)
    with capped.clients(clients):
        pass
    assert outcome.whole == len(outcome.charged)
    assert 50 * outcome.amount <= CAP
    assert outcome.overshoot == 0
    assert USABLE * CAP <= outcome.spent <= CAP
    assert_right(capped, clients)
    tell(str(clients), capped)


def test_the_smaller_of_two_caps_holds(product: Product, upstream: Provider, outcome: Outcome) -> None:
    capped = capped_key(product, upstream, outcome, workspace_cap=CAP // 4)
    with capped.clients(16):
        pass
    assert outcome.spent <= CAP // 4
    assert {refusal.limit for refusal in outcome.refused} == {CAP // 4}
    assert_right(capped, 16)


def test_a_cap_that_is_raised_and_lowered_holds_at_each_moment(
    product: Product, upstream: Provider, outcome: Outcome
) -> None:
    capped = capped_key(product, upstream, outcome, workspace_cap=10 * CAP, cap=CAP // 4)
    with capped.clients(32, to_the_end=False) as ended:
        product.until(lambda: final_at(outcome, CAP // 4))
        capped.set("raised_by = %s, raised_until = now() + interval '1 hour'", CAP // 4)
        product.until(lambda: final_at(outcome, CAP // 2))
        capped.set("raised_until = NULL, raised_by = 0")
        product.until(lambda: any(refusal.code == "budget_exhausted" for refusal in outcome.refused))
        calls = len(outcome.charged)
        time.sleep(1)
        assert len(outcome.charged) == calls
        capped.set('"limit" = %s', CAP)
        product.until(lambda: final_at(outcome, CAP))
        ended.set()
    assert outcome.overshoot == 0
    assert USABLE * CAP <= outcome.spent <= CAP
    assert_right(capped, 32)
    tell("32, raised and lowered", capped)


def final_at(outcome: Outcome, limit: int) -> bool:
    """Whether somebody was told that a cap of this limit has no room for another call."""
    return any(refusal.code in FINAL and refusal.limit == limit for refusal in outcome.refused)


def test_first_calls_of_an_unknown_client_in_parallel(product: Product, upstream: Provider, outcome: Outcome) -> None:
    capped = capped_key(product, upstream, outcome, workspace_cap=10 * CAP)
    client = f"newcomer-{uuid4()}"
    at_once(8, lambda: capped.call({"client": client}))
    assert (outcome.whole, outcome.refused, outcome.odd) == (8, [], [])
    assert capped.quiet() == [(outcome.spent, 0), (outcome.spent, 0)]
    with closing(capped.connect()) as database:
        found = database.execute("SELECT workspace_id::text FROM metering_client WHERE slug = %s", [client]).fetchall()
    assert found == [(capped.workspace,)]
    assert product.agrees()


@pytest.mark.skipif(not FULL, reason="part of `make faults`")
def test_what_ended_calls_have_left_free_can_be_used(product: Product, upstream: Provider, outcome: Outcome) -> None:
    capped = capped_key(product, upstream, outcome, workspace_cap=10 * CAP)
    with capped.clients(8):
        pass
    [(settled, _), _] = capped.quiet()
    capped.set('"limit" = %s', settled + outcome.amount)
    assert capped.call() == ""
    capped.quiet()
    capped.set('"limit" = %s', outcome.spent + outcome.amount - 1)
    assert capped.call() == "request_exceeds_budget"


@pytest.mark.parametrize("victim", ["gateway", "recorder"])
def test_a_killed_process_leaves_no_reservation(
    product: Product, upstream: Provider, outcome: Outcome, victim: str
) -> None:
    capped = capped_key(product, upstream, outcome, workspace_cap=100 * CAP)
    with capped.clients(16) as ended:
        product.until(lambda: len(outcome.charged) >= 32)
        process = product.workers()[0] if victim == "gateway" else product.recorder()
        assert process is not None
        process.kill()
        product.until(lambda: ended.is_set() or len(outcome.charged) >= 100)
        ended.set()
    product.until(product.whole)
    rows = capped.quiet()
    assert [reserved for _, reserved in rows] == [0, 0]
    assert rows[0][0] <= CAP
    assert product.agrees()
