"""The keys: who may call, for which client; a new one is shown once, with a call to copy."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_http_methods, require_safe

from metering import providers
from metering.budgets import budgets_of
from metering.clients import make_client
from metering.credentials import SANDBOX, in_use, provider_of
from metering.forms.errors import show
from metering.forms.keys import KeyForm
from metering.keys import list_keys, mint_key, uses
from metering.models import ApiKey
from metering.snippets import Snippet, snippets
from metering.standings import Standing, current
from tokonomics.access import WorkspaceRequest, reaches, workspace_view
from tokonomics.models import Role

PAGE_SIZE = 50


@require_safe
@workspace_view(Role.VIEWER)
def keys(request: WorkspaceRequest) -> HttpResponse:
    """The keys in use, or the revoked ones."""
    revoked, text = request.GET.get("state") == "revoked", request.GET.get("q", "").strip()[:100].replace("\0", "")
    found = list_keys(request.workspace, revoked=revoked, text=text)
    page = Paginator(found, PAGE_SIZE).get_page(request.GET.get("page"))
    shown = list(page.object_list)
    used, standings = uses(request.workspace, shown), _standings(request, shown)
    context = {
        "page": page,
        "rows": [(key, used[key.pk], standings.get(key.pk)) for key in shown],
        "revoked": revoked,
        "text": text,
        "may_change": reaches(request.role, Role.MEMBER),
    }
    return render(request, "metering/keys.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@workspace_view(Role.MEMBER)
@sensitive_variables("secret")
def key_new(request: WorkspaceRequest) -> HttpResponse:
    """Make a key, and its client where that is new; the answer to the form is the only page that ever shows the key."""
    form = KeyForm(request.POST or None, workspace=request.workspace, initial={"client": request.GET.get("client")})
    if request.method == "POST" and form.is_valid():
        try:
            key, secret = _mint(request, form)
        except ValidationError as error:
            show(form, error)
        else:
            may_cap = reaches(request.role, Role.ADMIN)
            context = {"key": key, "secret": secret, "snippets": _snippets(key, secret), "may_cap": may_cap}
            return render(request, "metering/keys/made.html", context)
    return render(request, "metering/keys/new.html", {"form": form})


def _standings(request: WorkspaceRequest, keys: Sequence[ApiKey]) -> dict[UUID | None, Standing]:
    """Where the keys' own budgets stand, by key (at most 4 queries)."""
    found = current(budgets_of(request.workspace).filter(key__in=keys), timezone.now())
    return {standing.budget.key_id: standing for standing in found.values()}


@transaction.atomic
def _mint(request: WorkspaceRequest, form: KeyForm) -> tuple[ApiKey, str]:
    asked, client = form.cleaned_data, form.cleaned_data["client"]
    if asked["new_client"]:
        client = make_client(
            workspace=request.workspace,
            name=asked["new_client"],
            slug=asked["new_client_tag"],
            actor=request.user,
        )
    return mint_key(
        workspace=request.workspace,
        name=asked["name"],
        client=client,
        credential=asked["credential"],
        limits=form.limits(),
        actor=request.user,
    )


def _snippets(key: ApiKey, secret: str) -> list[Snippet]:
    """A call at the account the key is pinned to, else at one that is connected, else at the sandbox."""
    credential = key.credential or in_use(key.workspace).filter(is_default=True).first()
    provider = provider_of(credential) if credential else providers.PROVIDERS[SANDBOX]
    tags = {"project": "chatbot", "env": "production"}
    return snippets(
        proxy_url=f"{settings.PUBLIC_URL}/proxy",
        slug=provider.slug,
        dialect=provider.dialect,
        key=secret,
        tags=tags if key.client else {"client": "acme-corp", **tags},
    )
