from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone

from metering.models import Budget, BudgetPeriod
from tests.factories import ApiKeyFactory, BudgetFactory, ClientFactory
from tests.ledger import event, record
from tests.metering.views.conftest import words
from tests.people import give_role
from tokonomics.models import AuditEntry, Membership, Role, User, Workspace

pytestmark = pytest.mark.usefixtures("june")
DOLLAR = 10**9
GOOD = {"limit": "900", "kind": "cap", "billing_day": "1"}
RAISE = {"amount": "300", "until": "2026-06-27", "reason": "launch week"}
DEEDS = ("budget_raise", "budget_raise_end", "budget_pause", "budget_resume", "budget_remove")


def at(name: str, workspace: Workspace, *ids: object) -> str:
    return reverse(name, args=[workspace.pk, *ids])


@pytest.fixture
def budget(workspace: Workspace) -> Budget:
    """A cap of 900 dollars on Acme Corp."""
    client = ClientFactory.create(workspace=workspace, slug="acme-corp", name="Acme Corp")
    return BudgetFactory.create(workspace=workspace, client=client)


@pytest.fixture
def admin(as_bob: Browser, bob: User, workspace: Workspace) -> Browser:
    """Bob as an admin, who may change budgets."""
    give_role(bob, workspace, Role.ADMIN)
    return as_bob


def test_each_target_gets_its_budget(admin: Browser, bob: User, workspace: Workspace) -> None:
    client = ClientFactory.create(workspace=workspace, name="Acme Corp")
    key = ApiKeyFactory.create(workspace=workspace, name="bot", last_four="4f2a")
    places = [
        (at("client_budget", workspace, client.pk), at("client", workspace, client.pk), "Acme Corp"),
        (at("key_budget", workspace, key.pk), at("key", workspace, key.pk), "bot (mk_…4f2a)"),
        (at("whole_budget", workspace), at("workspace_budget", workspace), "Ada's Agency"),
    ]
    for place, home, owner in places:
        assert f"Cap or budget for {owner}" in words(admin.get(place))
        assert admin.post(place, GOOD)["Location"] == home
        assert f"{owner} has a cap of $900.00 a month." in words(admin.get(home))
    found = Budget.objects.order_by("id").values_list("client", "key", "limit", "hard", "billing_day")
    assert list(found) == [
        (client.pk, None, 900 * DOLLAR, True, 1),
        (None, key.pk, 900 * DOLLAR, True, 1),
        (None, None, 900 * DOLLAR, True, 1),
    ]
    assert set(AuditEntry.objects.values_list("actor", flat=True)) == {bob.pk}


def test_a_budget_is_changed(admin: Browser, workspace: Workspace, budget: Budget) -> None:
    place = at("client_budget", workspace, budget.client_id)
    page = admin.get(place).content.decode()
    assert 'value="900.00"' in page
    assert "Cap of Acme Corp" in page
    assert at("budget_remove", workspace, budget.pk) in page
    admin.post(place, {"limit": "$1,200.50", "kind": "budget", "billing_day": "15", "workspace": "evil", "key": "evil"})
    budget.refresh_from_db()
    assert (budget.limit, budget.hard, budget.billing_day) == (1_200_500_000_000, False, 15)
    assert budget.workspace == workspace


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"limit": ""}, "This field is required."),
        ({"limit": "much"}, "such as 1200.50"),
        ({"limit": "-1"}, "above zero"),
        ({"limit": "1000000001"}, "at most a billion dollars"),
        ({"limit": "0", "kind": "budget"}, "above zero"),
        ({"kind": "wish"}, "wish is not one of the available choices"),
        ({"kind": ""}, "This field is required."),
        ({"billing_day": "29"}, "less than or equal to 28"),
        ({"billing_day": "0"}, "greater than or equal to 1"),
        ({"billing_day": "first"}, "Enter a whole number."),
    ],
)
def test_terms_that_are_none(admin: Browser, workspace: Workspace, wrong: dict[str, str], error: str) -> None:
    answer = admin.post(at("whole_budget", workspace), GOOD | wrong)
    assert answer.status_code == 200
    assert error in words(answer)
    assert f'value="{(GOOD | wrong)["limit"]}"' in answer.content.decode() or not (GOOD | wrong)["limit"]
    assert not Budget.objects.exists()


@pytest.mark.parametrize(("kind", "then"), [("cap", "Calls are refused."), ("budget", "It only warns: calls go on.")])
def test_a_limit_that_is_used_up_at_once(
    admin: Browser, workspace: Workspace, budget: Budget, kind: str, then: str
) -> None:
    record(event(workspace, cost=800 * DOLLAR))
    place = at("client_budget", workspace, budget.client_id)
    text = words(admin.post(place, GOOD | {"limit": "500", "kind": kind}, follow=True))
    assert f"Acme Corp has a {kind} of $500.00 a month. $800.00 is spent already. {then}" in text


def test_targets_that_are_no_longer_in_use(admin: Browser, workspace: Workspace) -> None:
    client = ClientFactory.create(workspace=workspace, archived_at=timezone.now())
    key = ApiKeyFactory.create(workspace=workspace, revoked_at=timezone.now())
    assert "is archived: restore it first" in words(admin.post(at("client_budget", workspace, client.pk), GOOD))
    assert "is revoked: nothing is spent" in words(admin.post(at("key_budget", workspace, key.pk), GOOD))
    assert not Budget.objects.exists()


def test_a_raise(admin: Browser, workspace: Workspace, budget: Budget) -> None:
    place = at("budget_raise", workspace, budget.pk)
    page = admin.get(place)
    assert "Raise the cap of Acme Corp" in words(page)
    assert 'value="2026-06-30"' in page.content.decode()
    text = words(admin.post(place, RAISE, follow=True))
    assert "The cap of Acme Corp is raised by $300.00." in text
    assert "0 % used: $0.00 of $1,200.00 , resets 1 July" in text
    budget.refresh_from_db()
    assert (budget.raised_by, budget.raise_reason) == (300 * DOLLAR, "launch week")
    assert budget.raised_until == datetime(2026, 6, 27, 22, tzinfo=UTC)
    assert "It is raised by $300.00 until the end of 27 June: launch week." in words(admin.get(place))
    text = words(admin.post(at("budget_raise_end", workspace, budget.pk), follow=True))
    assert "The raise of the cap of Acme Corp has ended." in text
    unchanged(budget)


def test_the_last_day_is_one_of_the_client_s_zone(admin: Browser, workspace: Workspace, budget: Budget) -> None:
    assert budget.client is not None
    budget.client.timezone = "Pacific/Kiritimati"
    budget.client.save()
    place = at("budget_raise", workspace, budget.pk)
    assert "The raise ends at midnight after it (Pacific/Kiritimati)." in words(admin.get(place))
    assert 'value="2026-06-30"' in admin.get(place).content.decode()
    admin.post(place, RAISE)
    budget.refresh_from_db()
    assert budget.raised_until == datetime(2026, 6, 27, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"amount": "0"}, "by more than zero"),
        ({"amount": "-5"}, "by more than zero"),
        ({"amount": "1000000001"}, "at most a billion dollars"),
        ({"amount": "some"}, "such as 1200.50"),
        ({"until": "2026-06-22"}, "Choose a day that is not over"),
        ({"until": "2027-08-01"}, "at most a year from now"),
        ({"until": "9999-12-31"}, "at most a year from now"),
        ({"until": "soon"}, "Enter a valid date."),
        ({"reason": ""}, "This field is required."),
        ({"reason": "x" * 201}, "at most 200 characters"),
    ],
)
def test_a_raise_that_is_none(
    admin: Browser, workspace: Workspace, budget: Budget, wrong: dict[str, str], error: str
) -> None:
    answer = admin.post(at("budget_raise", workspace, budget.pk), RAISE | wrong)
    assert error in words(answer)
    assert f'value="{(RAISE | wrong)["amount"]}"' in answer.content.decode()
    budget.refresh_from_db()
    assert (budget.raised_by, budget.raised_until) == (0, None)


def test_pausing_asks_first(admin: Browser, workspace: Workspace, budget: Budget) -> None:
    place = at("budget_pause", workspace, budget.pk)
    text = words(admin.get(place))
    assert "Calls pass whatever they cost, until you resume it." in text
    budget.refresh_from_db()
    assert budget.paused_at is None
    assert "The cap of Acme Corp is paused." in words(admin.post(place, follow=True))
    budget.refresh_from_db()
    assert budget.paused_at is not None
    answer = admin.post(at("budget_resume", workspace, budget.pk), follow=True)
    assert "The cap of Acme Corp holds again." in words(answer)
    budget.refresh_from_db()
    assert budget.paused_at is None


def test_removing_asks_first(admin: Browser, workspace: Workspace, budget: Budget) -> None:
    place = at("budget_remove", workspace, budget.pk)
    assert "Remove the cap of $900.00" in words(admin.get(place))
    assert Budget.objects.exists()
    text = words(admin.post(place, follow=True))
    assert "The cap of Acme Corp is removed." in text
    assert "No cap." in text
    assert not Budget.objects.exists()
    assert not BudgetPeriod.objects.exists()
    assert admin.post(place).status_code == 404


def test_a_budget_speaks_of_itself_as_one(admin: Browser, workspace: Workspace, budget: Budget) -> None:
    Budget.objects.update(hard=False)
    for name, text in (
        ("budget_raise", "Raise the budget of Acme Corp"),
        ("budget_pause", "Nobody is warned until you resume it."),
        ("budget_remove", "Nobody is warned from then on."),
    ):
        found = words(admin.get(at(name, workspace, budget.pk)))
        assert text in found
        assert "cap " not in found


@pytest.mark.parametrize("role", [Role.VIEWER, Role.MEMBER])
def test_a_member_looks_and_changes_nothing(
    as_bob: Browser, bob: User, workspace: Workspace, budget: Budget, role: Role
) -> None:
    give_role(bob, workspace, role)
    key = ApiKeyFactory.create(workspace=workspace)
    places = [at(name, workspace, budget.pk) for name in DEEDS]
    places += [at("client_budget", workspace, budget.client_id), at("key_budget", workspace, key.pk)]
    for place in (*places, at("whole_budget", workspace)):
        assert as_bob.post(place, GOOD | RAISE).status_code == 403
        assert as_bob.get(place).status_code in (403, 405)
    assert as_bob.get(at("budget_live", workspace, budget.pk)).status_code == 200
    unchanged(budget)


def test_a_stranger_finds_nothing(as_charlie: Browser, charlie: User, workspace: Workspace, budget: Budget) -> None:
    own = Membership.objects.get(user=charlie).workspace
    key = ApiKeyFactory.create(workspace=workspace)
    for place in (workspace, own):
        addresses = [at(name, place, budget.pk) for name in (*DEEDS, "budget_live")]
        addresses += [at("client_budget", place, budget.client_id), at("key_budget", place, key.pk)]
        for address in addresses:
            live = address.endswith("/live/")
            assert as_charlie.post(address, GOOD | RAISE).status_code == (405 if live else 404)
            answer = as_charlie.get(address)
            assert answer.status_code in (404, 405) or (place == own and answer.content == b"")
    unchanged(budget)


def unchanged(budget: Budget) -> None:
    found = Budget.objects.get()
    facts: list[Any] = [found.limit, found.hard, found.raised_by, found.paused_at, found.client_id]
    assert facts == [900 * DOLLAR, True, 0, None, budget.client_id]


def test_a_stale_page_of_a_removed_budget(admin: Browser, workspace: Workspace, budget: Budget) -> None:
    Budget.objects.all().delete()
    for name in DEEDS:
        assert admin.post(at(name, workspace, budget.pk), RAISE).status_code == 404


def test_a_bar_of_its_own_page_keeps_its_switch(as_bob: Browser, workspace: Workspace, budget: Budget) -> None:
    place = at("budget_live", workspace, budget.pk)
    switched = as_bob.get(place, {"switch": "1", "known": "old"}).content.decode()
    assert 'id="pause" href="?live=off"' in switched
    assert "&amp;switch=1" in switched
    plain = as_bob.get(place, {"whose": "1"}).content.decode()
    assert 'id="pause"' not in plain
    assert "Ada&#x27;s Agency: " in plain


def test_the_month_turns_while_one_looks(as_bob: Browser, workspace: Workspace, budget: Budget) -> None:
    starts = datetime(2026, 4, 30, 22, tzinfo=UTC)
    BudgetPeriod.objects.create(
        budget_id=budget.pk,
        workspace_id=workspace.pk,
        starts_at=starts,
        ends_at=starts + timedelta(days=31),
        settled=5 * DOLLAR,
        reserved=0,
    )
    text = words(as_bob.get(at("budget_live", workspace, budget.pk), {"known": "20260501-0-0-0-ok"}))
    assert "0 % used: $0.00 of $900.00 , resets 1 July" in text
