"""Own prices, discounts and aliases: the list of them, new ones, and the end of one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from billing import pricebook
from billing.cards import END
from billing.forms.prices import Asked
from billing.forms.rules import AliasForm, DiscountForm, EndForm, PriceForm, RuleForm
from billing.models import PriceRule
from billing.price_search import sellers
from billing.price_words import TIER_LABELS, seller_label
from billing.pricebook import as_rule, book_of, rules_of
from billing.views.shown import rule_words
from metering import clock
from metering.forms.errors import show
from tokonomics.access import WorkspaceRequest, reaches, workspace_view
from tokonomics.models import Role

PAGE_SIZE = 50
ASKING = ["GET", "HEAD", "POST"]
Kind = PriceRule.Kind
ADD: dict[str, Callable[..., PriceRule]] = {
    Kind.PRICE: pricebook.add_price,
    Kind.DISCOUNT: pricebook.add_discount,
    Kind.ALIAS: pricebook.add_alias,
}
TITLES = {Kind.PRICE: "Own price", Kind.DISCOUNT: "Discount", Kind.ALIAS: "Alias"}


@require_safe
@workspace_view(Role.VIEWER)
def price_rules(request: WorkspaceRequest) -> HttpResponse:
    """What was laid down for the workspace and for all, the newest first."""
    ended = request.GET.get("state") == "ended"
    found = pricebook.in_state(rules_of(request.workspace), ended=ended)
    page = Paginator(found.order_by("-created_at", "-id"), PAGE_SIZE).get_page(request.GET.get("page"))
    context = {
        "page": page,
        "rows": [_row(request, row) for row in page.object_list],
        "ended": ended,
        "may_change": reaches(request.role, Role.ADMIN),
    }
    return render(request, "billing/rules.html", context)


@require_http_methods(ASKING)
@workspace_view(Role.ADMIN)
def price_rule_new(request: WorkspaceRequest, kind: str) -> HttpResponse:
    """Lay down an own price, a discount or an alias."""
    form = rule_form(request, kind)
    if request.method == "POST" and form.is_valid():
        try:
            rule = ADD[kind](workspace=request.workspace, actor=request.user, **form.rule())
        except ValidationError as error:
            show(form, error)
        else:
            messages.success(request, _told(rule))
            return redirect("price_rules", request.workspace.pk)
    return render(request, "billing/rules/new.html", {"form": form, "kind": kind, "title": TITLES[Kind(kind)]})


@require_http_methods(ASKING)
@workspace_view(Role.ADMIN)
def price_rule_end(request: WorkspaceRequest, rule: UUID) -> HttpResponse:
    """Ask for the last day of one of the workspace's own rules, then end it."""
    row = get_object_or_404(pricebook.rules().filter(workspace=request.workspace), pk=rule)
    form = EndForm(request.POST or None, zone=clock.zone(request.workspace))
    if request.method == "POST" and form.is_valid():
        try:
            end = pricebook.end_rule(rule=row, ends_at=form.ends_at(), actor=request.user)
        except ValidationError as error:
            form.add_error("last", error.messages)
        else:
            over = end.ends_at <= timezone.now()
            messages.success(request, f"The {row} {'has ended' if over else 'ends then'}.")
            return redirect("price_rules", request.workspace.pk)
    context = {"form": form, "row": row, "words": rule_words(as_rule(row)), "place": _place(row)}
    return render(request, "billing/rules/end.html", context)


def rule_form(request: WorkspaceRequest, kind: str, **begun: Any) -> RuleForm:
    """The form of a kind, begun with the provider and model that the address names, or with others."""
    workspace = request.workspace
    asked = Asked.of(request)
    provider, model = begun.get("provider", asked.text("provider")), begun.get("model", asked.text("model"))
    chosen = sellers(workspace)
    known: dict[str, Any] = {
        "sellers": chosen,
        "zone": clock.zone(workspace),
        "today": clock.today(workspace),
        "initial": {"provider": provider, "model": model, "to_provider": provider} | begun,
    }
    data = request.POST or None
    if kind == Kind.DISCOUNT:
        return DiscountForm(data, **known)
    book = book_of(workspace)
    if kind == Kind.ALIAS:
        listed = dict.fromkeys([*chosen, *(seller for seller, _ in book.lists.models(timezone.now()))])
        return AliasForm(data, listed=list(listed), **known)
    place = (request.POST.get("provider", provider), request.POST.get("model", model))
    return PriceForm(data, quote=book.quote(*place, timezone.now()) if all(place) else None, **known)


def _row(request: WorkspaceRequest, row: Any) -> dict[str, Any]:
    zone, now = clock.zone(request.workspace), timezone.now()
    rule = as_rule(row)
    return {
        "rule": row,
        "kind": TITLES[Kind(row.kind)],
        "place": _place(row),
        "tier": TIER_LABELS.get(row.tier, ""),
        "words": rule_words(rule),
        "starts": row.starts_at.astimezone(zone),
        "until": row.until.astimezone(zone) if row.until else None,
        "made": row.created_at.astimezone(zone),
        "waits": row.starts_at > now,
        "never": rule.ends != END and rule.ends <= rule.starts,
        "own": row.workspace_id is not None,
    }


def _place(row: PriceRule) -> str:
    """`OpenAI gpt-4o`, `every model of OpenAI`, `every model`."""
    label = seller_label(row.provider) if row.provider else ""
    if row.model:
        return f"{label} {row.model}".strip()
    return f"every model of {label}" if label else "every model"


def _told(rule: PriceRule) -> str:
    since = "from now on" if rule.starts_at <= timezone.now() else "from its first day on"
    return f"The {rule} holds {since}: {rule_words(as_rule(pricebook.rules().get(pk=rule.pk)))}."
