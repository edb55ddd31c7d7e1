"""Keys: who may call, for which client; a new one is shown once, with a call to copy."""

from __future__ import annotations

from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_http_methods, require_safe

from metering import providers
from metering.clients import make_client
from metering.credentials import SANDBOX, in_use, provider_of
from metering.forms.errors import show
from metering.forms.keys import KeyForm, RenameForm
from metering.keys import list_keys, mint_key, rename_key, revoke_key, uses
from metering.models import ApiKey
from metering.snippets import Snippet, snippets
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
    used = uses(request.workspace, list(page.object_list))
    context = {
        "page": page,
        "rows": [(key, used[key.pk]) for key in page.object_list],
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
    form = KeyForm(request.POST or None, workspace=request.workspace)
    if request.method == "POST" and form.is_valid():
        try:
            key, secret = _mint(request, form)
        except ValidationError as error:
            show(form, error)
        else:
            context = {"key": key, "secret": secret, "snippets": _snippets(key, secret)}
            return render(request, "metering/keys/made.html", context)
    return render(request, "metering/keys/new.html", {"form": form})


@require_http_methods(["GET", "HEAD", "POST"])
@workspace_view(Role.MEMBER)
def key_rename(request: WorkspaceRequest, key: UUID) -> HttpResponse:
    """Call a key something else."""
    row = get_object_or_404(ApiKey, workspace=request.workspace, pk=key)
    form = RenameForm(request.POST or None, initial={"name": row.name})
    if request.method == "POST" and form.is_valid():
        try:
            rename_key(key=row, name=form.cleaned_data["name"], actor=request.user)
        except ValidationError as error:
            show(form, error)
        else:
            return redirect("keys", request.workspace.pk)
    return render(request, "metering/keys/rename.html", {"form": form, "key": row})


@require_http_methods(["GET", "HEAD", "POST"])
@workspace_view(Role.MEMBER)
def key_revoke(request: WorkspaceRequest, key: UUID) -> HttpResponse:
    """Ask, then end a key for good."""
    row = get_object_or_404(request.workspace.api_keys.select_related("client"), pk=key)
    if request.method == "POST":
        revoke_key(key=row, actor=request.user)
        messages.success(request, f"{row.name} is revoked. Calls with it are refused from now on.")
        return redirect("keys", request.workspace.pk)
    use = uses(request.workspace, [row])[row.pk]
    return render(request, "metering/keys/revoke.html", {"key": row, "use": use})


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
