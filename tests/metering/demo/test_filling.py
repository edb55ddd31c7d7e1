from __future__ import annotations

from datetime import date
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone

from metering.budgets import budgets_of
from metering.demo import cast
from metering.demo.filling import fill, first_day
from metering.models import Client
from metering.standings import current
from metering.verify import Scope, differences
from tests.factories import UserFactory
from tests.spooled import rows


@pytest.mark.parametrize(
    ("today", "first"),
    [
        (date(2026, 11, 25), date(2026, 6, 1)),
        (date(2026, 3, 1), date(2025, 10, 1)),
        (date(2026, 6, 30), date(2026, 1, 1)),
    ],
)
def test_this_month_is_the_last_of_six(today: date, first: date) -> None:
    assert first_day(today) == first


@pytest.mark.django_db(transaction=True)
def test_what_is_filled_agrees_and_shows_every_state(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cast, "MONTHS", 2)
    now = timezone.now()
    workspace, calls = fill(UserFactory.create(), now)
    assert rows("SELECT count(*) FROM usage_event")[0][0] == calls > 1000
    assert list(differences(Scope())) == []
    assert Client.objects.filter(workspace=workspace, confirmed_at__isnull=False).count() == 12
    days = [row[0] for row in rows("SELECT DISTINCT day FROM daily_usage ORDER BY day")]
    assert days[0] == first_day(now.astimezone(ZoneInfo(cast.TIME_ZONE)).date())
    assert rows("SELECT count(*) FROM daily_usage WHERE client = ''")[0][0] > 0
    assert rows("SELECT count(*) FROM daily_usage WHERE unpriced > 0")[0][0] > 0
    standings = {standing.budget.client: standing for standing in current(budgets_of(workspace), now).values()}
    states = {client.name: standing.state for client, standing in standings.items() if client}
    by_state = {customer.state: states.get(customer.name) for customer in cast.CUSTOMERS}
    assert by_state[cast.State.NONE] is None
    assert by_state[cast.State.PAUSED] == "paused"
    assert by_state[cast.State.USED_UP] == "used_up"
