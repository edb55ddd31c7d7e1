from __future__ import annotations

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

from billing.catalogue import Catalogue
from metering.demo import cast
from metering.demo.calls import Caller, Calls
from metering.demo.cast import Customer, State
from metering.demo.filling import PROVIDERS

ZONE = ZoneInfo(cast.TIME_ZONE)
CATALOGUE = Catalogue()
FIRST = dt.date(2026, 3, 27)
UNTIL = dt.datetime(2026, 3, 30, 11, 30, tzinfo=dt.UTC)
CREDENTIALS = {slug: slug for slug in PROVIDERS}


def calls_of(customer: Customer, slug: str = "a") -> list[dict[str, Any]]:
    caller = Caller("w", customer, slug, "k", "Key (mk_…abcd)", CREDENTIALS)
    return list(Calls(CATALOGUE, ZONE).of(caller, FIRST, UNTIL))


def test_the_same_days_give_the_same_calls() -> None:
    one, other = calls_of(cast.CUSTOMERS[0]), calls_of(cast.CUSTOMERS[0])
    assert [call["cost"] for call in one] == [call["cost"] for call in other]
    assert [call["at"] for call in one] == sorted(call["at"] for call in one)


def test_days_are_the_agencys_and_nothing_is_of_the_future() -> None:
    for call in calls_of(cast.CUSTOMERS[0]):
        moment = dt.datetime.fromtimestamp(call["at"] / 1e6, dt.UTC)
        assert moment < UNTIL
        assert call["day"] == moment.astimezone(ZONE).date().isoformat()


def test_weekends_are_quiet() -> None:
    days = [call["day"] for call in calls_of(cast.CUSTOMERS[0])]
    assert days.count("2026-03-28") < days.count("2026-03-27") / 2


def test_every_model_but_one_has_a_price() -> None:
    for customer in (*cast.CUSTOMERS, cast.UNATTRIBUTED):
        assert all(call["cost"] is not None for call in calls_of(customer))
    unpriced = [call["cost"] for call in calls_of(cast.UNPRICED) if call["status"] != "provider_error"]
    assert unpriced
    assert set(unpriced) == {None}


def test_a_cost_is_the_sum_of_its_lines() -> None:
    call = next(call for call in calls_of(cast.CUSTOMERS[0]) if call["lines"])
    assert call["cost"] == round(sum(float(amount) for *_, amount in call["lines"]) * 1e9)


def test_the_cast_is_what_is_promised() -> None:
    assert len(cast.CUSTOMERS) == 12
    assert {customer.state for customer in cast.CUSTOMERS} == set(State)
    assert len({work.provider for customer in cast.CUSTOMERS for work in customer.works}) >= 5
