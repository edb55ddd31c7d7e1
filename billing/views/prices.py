"""Prices: what any model costs on any day, and where that comes from."""

from __future__ import annotations

from datetime import date, datetime, time

from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_safe

from billing.book import PriceBook
from billing.forms.prices import Asked
from billing.price_search import Model, differing_tiers, find_models, history, sellers, used_models
from billing.price_words import CONTEXTS, TIER_LABELS, seller_label
from billing.pricebook import book_of, rules_of
from billing.rules import STANDARD
from billing.views.shown import shown_quote, shown_span
from metering import clock
from tokonomics.access import WorkspaceRequest, reaches, workspace_view
from tokonomics.models import Role, Workspace

PAGE_SIZE = 50


@require_safe
@workspace_view(Role.VIEWER)
def prices(request: WorkspaceRequest) -> HttpResponse:
    """The models that the workspace uses, or those that a search finds."""
    asked, workspace = Asked.of(request), request.workspace
    text, provider = asked.text("q").strip(), asked.text("provider")
    book, moment = book_of(workspace), _moment(workspace, asked.chosen_day)
    searched = bool(text or provider)
    reachable = sellers(workspace)
    found = find_models(book, text, provider, moment, reachable) if searched else used_models(workspace)
    page = Paginator(found, PAGE_SIZE).get_page(request.GET.get("page"))
    context = {
        "page": page,
        "rows": [_row(book, model, moment) for model in page.object_list],
        "searched": searched,
        "text": text,
        "provider": provider,
        "providers": _providers(reachable, provider),
        "day": asked.chosen_day,
        "today": clock.today(workspace),
        "may_change": reaches(request.role, Role.ADMIN),
    }
    return render(request, "billing/prices.html", context)


@require_safe
@workspace_view(Role.VIEWER)
def price(request: WorkspaceRequest) -> HttpResponse:
    """One model: each unit's price on a day, where it is from, and what it was before."""
    asked, workspace = Asked.of(request), request.workspace
    model: Model = (asked.text("provider"), asked.text("model").strip())
    if not all(model):
        return redirect("prices", workspace.pk)
    tier = asked.text("tier") or STANDARD
    book, moment = book_of(workspace), _moment(workspace, asked.chosen_day)
    quote = book.quote(*model, moment, CONTEXTS[tier])
    rows = {str(row.pk): row for row in rules_of(workspace)}
    zone = clock.zone(workspace)
    other = differing_tiers(book, model, moment, [pair for pair in CONTEXTS.items() if pair[0] != STANDARD])
    context = {
        "model": model[1],
        "provider": model[0],
        "label": seller_label(model[0]),
        "shown": shown_quote(quote, rows, zone),
        "history": [shown_span(span, rows, zone) for span in history(book, *model, CONTEXTS[tier])],
        "moment": moment.astimezone(zone),
        "day": asked.chosen_day,
        "today": clock.today(workspace),
        "tier": tier,
        "tiers": [(name, label) for name, label in TIER_LABELS.items() if name in (STANDARD, tier, *other)],
        "may_change": reaches(request.role, Role.ADMIN),
    }
    return render(request, "billing/price.html", context)


def _row(book: PriceBook, model: Model, moment: datetime) -> dict[str, object]:
    provider, name = model
    return {
        "provider": provider,
        "label": seller_label(provider),
        "model": name,
        "quote": shown_quote(book.quote(provider, name, moment), {}, None),
    }


def _moment(workspace: Workspace, day: date | None) -> datetime:
    """Now, or noon of another day."""
    if day is None or day == clock.today(workspace):
        return timezone.now()
    return datetime.combine(day, time(12), clock.zone(workspace))


def _providers(known: list[str], chosen: str) -> list[tuple[str, str]]:
    named = [*known, chosen] if chosen and chosen not in known else known
    return sorted(((seller, seller_label(seller)) for seller in named), key=lambda pair: pair[1].lower())
