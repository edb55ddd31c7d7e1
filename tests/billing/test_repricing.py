"""Calls priced anew: by the book as it is now, appended, to the nano-dollar, once, and never in closed days."""

from __future__ import annotations

import threading
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.models import Sum
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing import repricing_runs
from billing.closing import close, closed_until
from billing.models import Repricing, RepricingShare
from billing.pricebook import add_alias, add_price, book_of, end_rule
from billing.repricing import candidates, look
from billing.repricing_runs import apply_run, make_run, stale_runs, work
from billing.tasks import go_on, sweep
from metering import selection
from metering.budgets import set_budget
from metering.filters import EventFilter
from metering.ledger import BudgetPeriod, DailyUsage, UsageEvent
from metering.models import Budget, Client
from metering.periods import Period
from tests import ledger, spooled
from tests.factories import WorkspaceFactory
from tokonomics.models import AuditEntry, User, Workspace

pytestmark = pytest.mark.django_db

JUNE = (date(2026, 6, 1), date(2026, 6, 30))
START = datetime(2026, 1, 1, tzinfo=UTC)
OLD = 720_000
"""1,000 tokens at $0.40 and 200 at $1.60 a million, as the events have them."""


def price(workspace: Workspace, model: str = "gpt-4.1-mini", one: str = "1", other: str = "2") -> Any:
    prices = {"input_mtok": Decimal(one), "output_mtok": Decimal(other)}
    return add_price(workspace=workspace, provider="openai", model=model, prices=prices, starts_at=START, actor=None)


def run_over(workspace: Workspace, *, apply: bool = True, **chosen: Any) -> Repricing:
    run = make_run(workspace=workspace, first=JUNE[0], last=JUNE[1], actor=None, **chosen)
    assert work(run.pk)
    if apply:
        apply_run(run=run, actor=None)
        assert work(run.pk)
    run.refresh_from_db()
    return run


def totals(run: Repricing, *, applied: bool = True) -> dict[str, tuple[int, int, int, int]]:
    shares = run.shares.filter(applied=applied)
    return {share.client: (share.calls, share.priced, share.old, share.new) for share in shares}


def verified() -> str:
    output = StringIO()
    call_command("verify", stdout=output)
    return output.getvalue()


def cost(workspace: Workspace) -> int:
    return UsageEvent.objects.filter(workspace_id=workspace.id).aggregate(sum=Sum("cost"))["sum"] or 0


def sums(workspace: Workspace) -> tuple[int, int, int]:
    """Calls, unpriced ones and cost of the rollup."""
    found = DailyUsage.objects.filter(workspace_id=workspace.id).aggregate(
        calls=Sum("calls"), unpriced=Sum("unpriced"), cost=Sum("cost")
    )
    return found["calls"], found["unpriced"], found["cost"]


def test_a_preview_changes_nothing(workspace: Workspace) -> None:
    ledger.record(ledger.event(workspace), ledger.event(workspace, client="globex"))
    price(workspace)
    run = run_over(workspace, apply=False)
    assert (run.state, run.seen, run.unpriceable) == ("previewed", 2, 0)
    assert totals(run, applied=False) == {"acme-corp": (1, 0, OLD, 1_400_000), "globex": (1, 0, OLD, 1_400_000)}
    assert (UsageEvent.objects.count(), cost(workspace)) == (2, 2 * OLD)
    assert totals(run) == {}


def test_the_difference_is_an_event_of_its_own(workspace: Workspace) -> None:
    [event] = ledger.record(ledger.event(workspace))
    price(workspace)
    run = run_over(workspace)
    correction = UsageEvent.objects.exclude(id=event.id).get()
    assert (correction.cost, correction.source, correction.flags) == (1_400_000 - OLD, "adjustment", ["repriced"])
    same = "admitted_at day client key_id provider model requested_model tags status".split()
    assert all(getattr(correction, name) == getattr(event, name) for name in same)
    assert (correction.input_tokens, correction.output_tokens, correction.usage) == (0, 0, {})
    assert correction.basis == {"of": str(event.id), "by": str(run.pk)}
    assert (correction.cost_source, correction.lines) == (
        "override",
        [
            ["input_tokens", 1000, "0.000001", "0.001"],
            ["output_tokens", 200, "0.000002", "0.0004"],
            ["former_cost", -1, "0.00072", "-0.00072"],
        ],
    )
    assert sums(workspace) == (1, 0, 1_400_000)
    assert (run.state, totals(run)) == ("applied", {"acme-corp": (1, 0, OLD, 1_400_000)})
    assert "agree: 1 calls, 0.0014 USD" in verified()


def test_an_unpriced_call_gets_its_price(workspace: Workspace) -> None:
    unknown: dict[str, Any] = {"model": "house-7", "cost": None, "cost_source": "", "price_version": "", "lines": []}
    ledger.record(ledger.event(workspace, **unknown), ledger.event(workspace, **unknown, client=""))
    add_alias(
        workspace=workspace,
        provider="openai",
        model="house-7",
        to_provider="openai",
        to_model="gpt-4.1-mini",
        starts_at=START,
        actor=None,
    )
    assert sums(workspace) == (2, 2, 0)
    run = run_over(workspace, unpriced_only=True)
    assert totals(run) == {"acme-corp": (1, 1, 0, OLD), "": (1, 1, 0, OLD)}
    assert sums(workspace) == (2, 0, 2 * OLD)
    assert [event.flags for event in UsageEvent.objects.filter(source="adjustment")] == [["repriced", "priced"]] * 2
    assert "agree: 2 calls, 0.00144 USD" in verified()
    june = Period(*JUNE)
    assert selection.summary(workspace.id, EventFilter(june)).unpriced == 0
    assert selection.summary(workspace.id, EventFilter(june, only="unpriced")).calls == 0
    assert selection.page(workspace.id, EventFilter(june, only="unpriced")).events == []
    listed = selection.summary(workspace.id, EventFilter(june, status="ok"))
    assert (listed.calls, listed.cost, listed.unpriced) == (2, 2 * OLD, 0)


def test_a_call_can_be_priced_at_nothing(workspace: Workspace) -> None:
    ledger.record(ledger.event(workspace, model="house-7", cost=None, cost_source=""))
    price(workspace, "house-7", "0", "0")
    run_over(workspace)
    assert sums(workspace) == (1, 0, 0)
    assert run_over(workspace).shares.count() == 0


def test_what_still_has_no_price_is_counted(workspace: Workspace) -> None:
    ledger.record(
        ledger.event(workspace, model="house-7", cost=None, cost_source=""),
        ledger.event(workspace, cost=None, cost_source="", usage={}),
    )
    run = run_over(workspace)
    assert (run.seen, run.unpriceable, run.shares.count()) == (2, 2, 0)
    assert sums(workspace) == (2, 2, 0)


def test_again_changes_nothing_and_back_is_back(workspace: Workspace) -> None:
    ledger.record(ledger.event(workspace))
    rule = price(workspace)
    run_over(workspace)
    again = run_over(workspace)
    assert (again.shares.count(), UsageEvent.objects.count(), cost(workspace)) == (0, 2, 1_400_000)
    end_rule(rule=rule, ends_at=START, actor=None)
    back = run_over(workspace)
    assert totals(back) == {"acme-corp": (1, 0, 1_400_000, OLD)}
    assert (UsageEvent.objects.count(), cost(workspace)) == (3, OLD)
    assert "agree: 1 calls, 0.00072 USD" in verified()


@pytest.mark.parametrize("source", ["provider", "declared", "free", "sandbox"])
def test_costs_that_are_not_ours_are_left_alone(workspace: Workspace, source: str) -> None:
    ledger.record(ledger.event(workspace, cost_source=source))
    price(workspace)
    assert run_over(workspace).seen == 0
    assert cost(workspace) == OLD


def test_a_run_keeps_to_its_days_model_and_workspace(workspace: Workspace) -> None:
    stranger = WorkspaceFactory.create(name="Southdark")
    late = datetime(2026, 7, 1, 12, tzinfo=UTC)
    ledger.record(
        ledger.event(workspace),
        ledger.event(workspace, model="gpt-4.1"),
        ledger.event(workspace, provider="azure"),
        ledger.event(workspace, admitted_at=late),
        ledger.event(stranger),
    )
    price(workspace)
    price(workspace, "gpt-4.1")
    price(stranger)
    run = run_over(workspace, provider="openai", model="gpt-4.1-mini")
    assert (run.seen, totals(run)) == (1, {"acme-corp": (1, 0, OLD, 1_400_000)})
    assert UsageEvent.objects.filter(workspace_id=stranger.id).count() == 1


def test_closed_days_are_never_touched(workspace: Workspace) -> None:
    days = {day: datetime(2026, 6, day, 12, tzinfo=UTC) for day in (1, 10, 20)}
    for moment in days.values():
        ledger.record(
            ledger.event(workspace, admitted_at=moment), ledger.event(workspace, admitted_at=moment, client="globex")
        )
    close(workspace=workspace, until=date(2026, 6, 1), actor=None)
    close(workspace=workspace, until=date(2026, 6, 10), client="globex", actor=None)
    closed = closed_until(workspace)
    assert (closed.everyone, closed.clients) == (date(2026, 6, 1), {"globex": date(2026, 6, 10)})
    assert [closed.holds("globex", date(2026, 6, day)) for day in (10, 11)] == [True, False]
    price(workspace)
    run = run_over(workspace)
    assert totals(run) == {"acme-corp": (2, 0, 2 * OLD, 2_800_000), "globex": (1, 0, OLD, 1_400_000)}
    moved = UsageEvent.objects.filter(source="adjustment").values_list("day", "client")
    assert sorted(moved) == [
        (date(2026, 6, 10), "acme-corp"),
        (date(2026, 6, 20), "acme-corp"),
        (date(2026, 6, 20), "globex"),
    ]


def test_a_day_that_is_not_over_cannot_be_closed(workspace: Workspace) -> None:
    with pytest.raises(ValidationError, match="over"):
        close(workspace=workspace, until=date(2199, 1, 1), actor=None)


def test_the_tier_and_the_parts_of_a_call_are_priced_as_they_were(workspace: Workspace) -> None:
    parts = [["claude-sonnet-4-5", {"input_tokens": 1000}], ["claude-opus-4-5", {"output_tokens": 200}]]
    moment = datetime(2026, 11, 10, 12, tzinfo=UTC)
    claude = {"provider": "anthropic", "model": "claude-sonnet-4-5"}
    flex = {"context": [["service_tier", "flex"]]}
    ledger.record(
        ledger.event(workspace, **claude, basis={"parts": parts}, client="parts"),
        ledger.event(workspace, model="gpt-5-mini", basis=flex, client="flex", admitted_at=moment),
        ledger.event(workspace, model="gpt-5-mini", client="standard", admitted_at=moment),
    )
    run = make_run(workspace=workspace, first=JUNE[0], last=moment.date(), actor=None)
    work(run.pk)
    found = totals(run, applied=False)
    assert found["parts"][3] == 1000 * 3_000 + 200 * 25_000
    assert found["flex"][3] * 2 == found["standard"][3] == 1000 * 250 + 200 * 2_000


@pytest.mark.django_db(transaction=True)
def test_an_estimate_that_was_corrected_is_priced_at_what_is_known_now(workspace: Workspace, tmp_path: Path) -> None:
    at = int(ledger.NOON.timestamp()) * 1_000_000
    called = spooled.intent(workspace, at=at)
    spooled.leave(tmp_path, called)
    spooled.record(tmp_path)
    spooled.leave(tmp_path, called, spooled.result(called, usage={"input_tokens": 1000, "output_tokens": 200}))
    spooled.record(tmp_path)
    assert (UsageEvent.objects.count(), cost(workspace)) == (2, OLD)
    price(workspace)
    run = run_over(workspace)
    assert totals(run) == {"acme-corp": (1, 0, OLD, 1_400_000)}
    assert cost(workspace) == 1_400_000
    assert "agree" in verified()


def test_budgets_follow(workspace: Workspace, alice: User) -> None:
    client = Client.objects.create(workspace=workspace, slug="acme-corp", name="Acme")
    set_budget(workspace=workspace, client=client, limit=10**9, hard=True, billing_day=1, actor=alice)
    ledger.record(ledger.event(workspace))
    budget = Budget.objects.get()
    starts, ends = datetime(2026, 6, 1, tzinfo=UTC), datetime(2026, 7, 1, tzinfo=UTC)
    BudgetPeriod.objects.create(
        budget_id=budget.id, workspace_id=workspace.id, starts_at=starts, ends_at=ends, settled=OLD, reserved=0
    )
    price(workspace)
    run_over(workspace)
    assert BudgetPeriod.objects.get().settled == 1_400_000
    assert "budgets agree: 1 periods" in verified()


def test_a_run_that_was_killed_goes_on_where_it_was(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repricing_runs, "STEP", 2)
    moments = [ledger.NOON + timedelta(minutes=minute) for minute in range(5)]
    ledger.record(*[ledger.event(workspace, admitted_at=moment) for moment in moments])
    price(workspace)
    run = run_over(workspace, apply=False)
    apply_run(run=run, actor=None)
    assert not work(run.pk, steps=1)
    assert UsageEvent.objects.count() == 7
    assert "agree" in verified()
    Repricing.objects.update(moved_at=datetime(2026, 1, 1, tzinfo=UTC))
    assert stale_runs() == [run.pk]
    sweep()
    go_on(str(run.pk))
    run.refresh_from_db()
    assert (run.state, run.seen, totals(run)) == ("applied", 5, {"acme-corp": (5, 0, 5 * OLD, 7_000_000)})
    assert cost(workspace) == 7_000_000
    go_on(str(run.pk))
    assert (UsageEvent.objects.count(), stale_runs()) == (10, [])


def test_a_step_that_was_done_and_forgotten_adds_nothing(workspace: Workspace) -> None:
    ledger.record(ledger.event(workspace))
    price(workspace)
    run = run_over(workspace)
    Repricing.objects.update(state="applying", position_at=None, position_id=None)
    work(run.pk)
    assert (UsageEvent.objects.count(), cost(workspace)) == (2, 1_400_000)


@pytest.mark.django_db(transaction=True)
def test_runs_and_workers_at_the_same_time_take_turns(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repricing_runs, "STEP", 3)
    moments = [ledger.NOON + timedelta(minutes=minute) for minute in range(20)]
    ledger.record(*[ledger.event(workspace, admitted_at=moment) for moment in moments])
    price(workspace)
    runs = [run_over(workspace, apply=False) for _ in range(2)]
    for run in runs:
        apply_run(run=run, actor=None)
    errors: list[BaseException] = []

    def worker(run: Repricing) -> None:
        try:
            work(run.pk)
        except BaseException as error:  # noqa: BLE001 -- told below
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=worker, args=[run]) for run in [*runs, *runs]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert errors == []
    assert (UsageEvent.objects.count(), cost(workspace)) == (40, 20 * 1_400_000)
    assert sum(totals(run).get("acme-corp", (0,))[0] for run in runs) == 20
    assert "agree: 20 calls, 0.028 USD" in verified()


def test_a_run_that_fails_says_so(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    run = make_run(workspace=workspace, first=JUNE[0], last=JUNE[1], actor=None)

    def broken(*args: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(repricing_runs, "book_of", broken)
    with pytest.raises(ZeroDivisionError):
        go_on(str(run.pk))
    run.refresh_from_db()
    assert (run.state, run.error) == (
        "failed",
        "It failed, and nothing more was changed. The log of the worker says why.",
    )


def test_only_a_preview_can_be_applied(workspace: Workspace) -> None:
    run = run_over(workspace)
    with pytest.raises(ValidationError, match="applied"):
        apply_run(run=run, actor=None)


def test_a_run_of_more_days_than_pages_take_is_refused(workspace: Workspace) -> None:
    with pytest.raises(ValidationError, match="400"):
        make_run(workspace=workspace, first=date(2020, 1, 1), last=date(2026, 1, 1), actor=None)
    with pytest.raises(ValidationError, match="begins"):
        make_run(workspace=workspace, first=date(2026, 2, 1), last=date(2026, 1, 1), actor=None)


def test_who_applied_it_stands_in_the_audit_log(workspace: Workspace, alice: User) -> None:
    ledger.record(ledger.event(workspace))
    price(workspace)
    run = run_over(workspace, apply=False)
    apply_run(run=run, actor=alice)
    work(run.pk)
    entry = AuditEntry.objects.get(verb="re-priced")
    assert (entry.actor, entry.object_id) == (alice, str(run.pk))
    assert entry.details == {"calls": 1, "difference_usd": "0.00068", "unpriced_only": False}


def test_looking_takes_one_query_however_many_calls(workspace: Workspace, django_assert_num_queries: Any) -> None:
    ledger.record(*[ledger.event(workspace) for _ in range(20)])
    price(workspace)
    run_over(workspace)
    found = candidates(workspace.id, EventFilter(Period(*JUNE)), closed_until(workspace))
    book = book_of(workspace)
    with django_assert_num_queries(1):
        assert look(found, None, 100, book).seen == 20


def test_the_command_previews_and_applies(workspace: Workspace) -> None:
    ledger.record(ledger.event(workspace), ledger.event(workspace, client=""))
    price(workspace)
    words = ["--workspace", str(workspace.pk), "--from", "2026-06-01", "--to", "2026-06-30", "--model", "gpt-4.1-mini"]
    output = StringIO()
    call_command("reprice", *words, stdout=output)
    assert output.getvalue() == (
        "Unattributed: 1 calls, 0.00072 → 0.0014 USD (0.00068)\n"
        "acme-corp: 1 calls, 0.00072 → 0.0014 USD (0.00068)\n"
        "Preview, nothing is changed: 2 calls, a difference of 0.00136 USD.\n"
    )
    assert cost(workspace) == 2 * OLD
    output = StringIO()
    call_command("reprice", *words, "--apply", stdout=output)
    assert "Applied: 2 calls, a difference of 0.00136 USD.\n" in output.getvalue()
    assert cost(workspace) == 2_800_000


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--from", "June"], "is not a day"),
        (["--workspace", "acme"], "not the id"),
        (["--workspace", "01990000-0000-7000-8000-000000000001"], "no such workspace"),
        (["--to", "2020-01-01"], "begins"),
    ],
)
def test_the_command_says_what_is_wrong(workspace: Workspace, words: list[str], message: str) -> None:
    good = {"--workspace": str(workspace.pk), "--from": "2026-06-01", "--to": "2026-06-30"}
    asked = good | dict(zip(words[::2], words[1::2], strict=True))
    with pytest.raises(CommandError, match=message):
        call_command("reprice", *[word for pair in asked.items() for word in pair])


EVENTS = st.lists(
    st.fixed_dictionaries(
        {
            "model": st.sampled_from(["gpt-4.1-mini", "gpt-5-mini", "house-7"]),
            "client": st.sampled_from(["acme-corp", "globex", ""]),
            "cost": st.none() | st.integers(0, 10**9),
            "input_tokens": st.integers(0, 10**6),
            "output_tokens": st.integers(0, 10**5),
            "admitted_at": st.integers(0, 28).map(lambda day: datetime(2026, 6, 1, 12, tzinfo=UTC) + timedelta(day)),
        }
    ),
    min_size=1,
    max_size=6,
)
PRICES = st.lists(
    st.tuples(
        st.sampled_from(["gpt-4.1-mini", "house-7", "gpt-*"]),
        st.decimals(0, 50, places=3).map(str),
        st.decimals(0, 50, places=3).map(str),
    ),
    min_size=1,
    max_size=3,
)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(events=EVENTS, prices=PRICES)
def test_whatever_the_prices_sums_stay_sums_of_events(workspace: Workspace, events: Any, prices: Any) -> None:
    ledger.record(*[ledger.event(workspace, **event) for event in events])
    for model, one, other in prices:
        price(workspace, model, one, other)
        run = run_over(workspace)
        moved = sum(share.new - share.old for share in run.shares.filter(applied=True))
        preview = {share.client: share.new for share in RepricingShare.objects.filter(repricing=run, applied=False)}
        assert preview == {share.client: share.new for share in run.shares.filter(applied=True)}
        assert moved == sum(
            event.cost or 0 for event in UsageEvent.objects.filter(source="adjustment", basis__by=str(run.pk))
        )
        assert run_over(workspace).shares.count() == 0
        assert cost(workspace) == sums(workspace)[2]
        assert "agree" in verified()
