"""Providers: the agency's accounts, connected with a key that is never shown again, and tested with a real call."""

from __future__ import annotations

from contextlib import suppress
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.forms import Form
from django.http import Http404, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from metering import credentials, providers
from metering.connection import try_connection
from metering.forms.cloud_keys import CLOUD_FORMS
from metering.forms.errors import show
from metering.forms.providers import ConnectForm, CredentialForm, OwnServerForm
from metering.models import ProviderCredential
from tokonomics.access import WorkspaceRequest, reaches, workspace_view
from tokonomics.crypto import Undecryptable
from tokonomics.models import Role

OWN = "own"
"""Stands for a provider that is not known: a server of one's own."""
SECRETS = ("secret", "api_key", "secret_access_key", "session_token", "key_file")


@require_safe
@workspace_view(Role.VIEWER)
def provider_list(request: WorkspaceRequest) -> HttpResponse:
    """The accounts in use, the sandbox, and those put away."""
    return render(
        request,
        "metering/providers.html",
        {
            "rows": [(row, credentials.provider_of(row)) for row in credentials.in_use(request.workspace)],
            "archived": [(row, credentials.provider_of(row)) for row in credentials.archived(request.workspace)],
            "sandbox": providers.PROVIDERS[credentials.SANDBOX],
            "new": request.GET.get("new", ""),
            "may_change": reaches(request.role, Role.ADMIN),
        },
    )


@require_safe
@workspace_view(Role.ADMIN)
def provider_choose(request: WorkspaceRequest) -> HttpResponse:
    """Which provider to connect."""
    return render(request, "metering/providers/choose.html", {"providers": credentials.connectable(), "own": OWN})


@require_http_methods(["GET", "HEAD", "POST"])
@workspace_view(Role.ADMIN)
@sensitive_post_parameters(*SECRETS)
def provider_connect(request: WorkspaceRequest, slug: str) -> HttpResponse:
    """Connect an account at one provider; the list then tests it by itself."""
    provider = next((found for found in credentials.connectable() if found.slug == slug), None)
    if provider is None and slug != OWN:
        raise Http404
    data = request.POST or None
    kind = CLOUD_FORMS.get(slug, ConnectForm)
    form = kind(data, provider=provider) if provider else OwnServerForm(data)
    if request.method == "POST" and form.is_valid():
        asked = {"slug": slug, **form.cleaned_data}
        try:
            made = credentials.connect_provider(workspace=request.workspace, actor=request.user, **asked)
        except ValidationError as error:
            show(form, error)
        else:
            messages.success(request, f"{made.name} is connected.")
            return redirect(_list_with_test(request, made))
    return render(request, "metering/providers/connect.html", {"form": form, "provider": provider})


@require_http_methods(["GET", "HEAD", "POST"])
@workspace_view(Role.ADMIN)
@sensitive_post_parameters(*SECRETS)
def provider_edit(request: WorkspaceRequest, credential: UUID) -> HttpResponse:
    """Rename an account, replace its key, or move it to another address."""
    row = _find(request, credential)
    form = _edit_form(request.POST or None, row)
    if request.method == "POST" and form.is_valid():
        try:
            credentials.change_credential(credential=row, actor=request.user, **form.cleaned_data)
        except ValidationError as error:
            show(form, error)
        else:
            messages.success(request, f"{row.name} is saved.")
            return redirect(_list_with_test(request, row))
    context = {"form": form, "credential": row, "provider": credentials.provider_of(row)}
    return render(request, "metering/providers/edit.html", context)


@require_POST
@workspace_view(Role.ADMIN)
def provider_test(request: WorkspaceRequest, credential: UUID) -> HttpResponse:
    """Call the provider and say what came back: in the row, or without a script as a message above the list."""
    row = _find(request, credential)
    verdict = try_connection(row)
    if request.htmx:
        return render(request, "metering/providers/verdict.html", {"verdict": verdict})
    text = f"{row.name}: {verdict.text}" + (f" Answered in {verdict.milliseconds} ms." if verdict.status else "")
    messages.add_message(request, messages.SUCCESS if verdict.works else messages.ERROR, text)
    return redirect("providers", request.workspace.pk)


@require_POST
@workspace_view(Role.ADMIN)
def provider_default(request: WorkspaceRequest, credential: UUID) -> HttpResponse:
    """Use this account for all keys that are not pinned."""
    row = _find(request, credential)
    credentials.make_default(credential=row, actor=request.user)
    messages.success(request, f"{row.name} is now the default for {row.slug}.")
    return redirect("providers", request.workspace.pk)


@require_http_methods(["GET", "HEAD", "POST"])
@workspace_view(Role.ADMIN)
def provider_archive(request: WorkspaceRequest, credential: UUID) -> HttpResponse:
    """Ask, then put an account away."""
    row = _find(request, credential)
    problem = ""
    if request.method == "POST":
        try:
            credentials.archive_credential(credential=row, actor=request.user)
        except ValidationError as error:
            problem = error.messages[0]
        else:
            messages.success(request, f"{row.name} is archived. You can restore it below.")
            return redirect("providers", request.workspace.pk)
    return render(request, "metering/providers/archive.html", {"credential": row, "problem": problem})


@require_POST
@workspace_view(Role.ADMIN)
def provider_restore(request: WorkspaceRequest, credential: UUID) -> HttpResponse:
    """Take an account back into use."""
    row = get_object_or_404(credentials.archived(request.workspace), pk=credential)
    credentials.restore_credential(credential=row, actor=request.user)
    messages.success(request, f"{row.name} is in use again.")
    return redirect("providers", request.workspace.pk)


def _edit_form(data: QueryDict | None, row: ProviderCredential) -> Form:
    if row.slug not in CLOUD_FORMS:
        provider = credentials.provider_of(row)
        return CredentialForm(data, credential=row, provider=provider, own_server=providers.find(row.slug) is None)
    initial = {"name": row.name, "base_url": row.base_url}
    kept = None
    with suppress(Undecryptable, ValueError):
        kept = credentials.account_of(row)
    return CLOUD_FORMS[row.slug](data, provider=credentials.provider_of(row), kept=kept, initial=initial)


def _find(request: WorkspaceRequest, credential: UUID) -> ProviderCredential:
    return get_object_or_404(credentials.in_use(request.workspace), pk=credential)


def _list_with_test(request: WorkspaceRequest, row: ProviderCredential) -> str:
    return f"{reverse('providers', args=[request.workspace.pk])}?new={row.pk}"
