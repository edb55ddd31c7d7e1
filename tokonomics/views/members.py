"""Members and invitations of a workspace."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from tokonomics import mail, members
from tokonomics.access import WorkspaceRequest, reaches, workspace_view
from tokonomics.forms.members import InvitationForm, RoleForm, givable
from tokonomics.models import Invitation, Role


@require_http_methods(["GET", "HEAD", "POST"])
@workspace_view(Role.VIEWER, to_change=Role.ADMIN)
def member_list(request: WorkspaceRequest) -> HttpResponse:
    """Who belongs here; the form invites another."""
    form = InvitationForm(request.POST or None, own=request.role)
    if request.method == "POST" and form.is_valid():
        try:
            return _invite(request, form)
        except ValidationError as error:
            form.add_error("email", error)
    people = request.workspace.memberships.select_related("user").order_by("created_at", "id")
    context = {
        "form": form,
        "people": people,
        "invitations": members.open_invitations(request.workspace),
        "roles": givable(request.role),
        "may_change": reaches(request.role, Role.ADMIN),
    }
    return render(request, "settings/members.html", context)


def _invite(request: WorkspaceRequest, form: InvitationForm) -> HttpResponse:
    """Invite, send the link, and show it once more to the one who invites."""
    invitation, token = members.invite(
        workspace=request.workspace,
        email=form.cleaned_data["email"],
        role=Role(form.cleaned_data["role"]),
        actor=request.user,
    )
    context = {
        "invitation": invitation,
        "link": mail.invitation_url(token),
        "sent": mail.send_invitation(invitation, token),
    }
    return render(request, "settings/invited.html", context)


@require_POST
@workspace_view(Role.ADMIN)
def member_role(request: WorkspaceRequest, membership: UUID) -> HttpResponse:
    """Give a member another role."""
    row = get_object_or_404(request.workspace.memberships.select_related("user"), pk=membership)
    form = RoleForm(request.POST)
    if not form.is_valid():
        messages.error(request, "Choose one of the four roles.")
        return redirect("members", request.workspace.pk)
    try:
        members.change_role(membership=row, role=Role(form.cleaned_data["role"]), actor=request.user)
    except members.NotAllowed as error:
        raise PermissionDenied(str(error)) from error
    except ValidationError as error:
        messages.error(request, error.messages[0])
    else:
        messages.success(request, f"{row.user} is now {Role(row.role).label.lower()}.")
    return redirect("members", request.workspace.pk)


@require_http_methods(["GET", "HEAD", "POST"])
@workspace_view(Role.VIEWER)
def member_remove(request: WorkspaceRequest, membership: UUID) -> HttpResponse:
    """Ask, then end a membership: an admin that of anybody, others their own."""
    row = get_object_or_404(request.workspace.memberships.select_related("user"), pk=membership)
    if row.user_id != request.user.pk and not reaches(request.role, Role.ADMIN):
        raise PermissionDenied
    problem = ""
    if request.method == "POST":
        try:
            members.remove(membership=row, actor=request.user)
        except members.NotAllowed as error:
            raise PermissionDenied(str(error)) from error
        except ValidationError as error:
            problem = error.messages[0]
        else:
            messages.success(request, f"{row.user} is no longer a member.")
            return redirect("home") if row.user == request.user else redirect("members", request.workspace.pk)
    return render(request, "settings/remove.html", {"membership": row, "problem": problem})


@require_POST
@workspace_view(Role.ADMIN)
def invitation_withdraw(request: WorkspaceRequest, invitation: UUID) -> HttpResponse:
    """Make an invitation's link useless."""
    row = get_object_or_404(Invitation, workspace=request.workspace, pk=invitation)
    members.withdraw(invitation=row, actor=request.user)
    messages.success(request, f"The invitation of {row.email} is withdrawn.")
    return redirect("members", request.workspace.pk)
