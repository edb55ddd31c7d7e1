"""What the link of an invitation shows."""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from tokonomics import invitations, members


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def invitation(request: HttpRequest, token: str) -> HttpResponse:
    """Join when signed in with the invited address; else sign up or log in first, and come back."""
    found = members.find_invitation(token)
    if found is None:
        return render(request, "account/invitation_gone.html", status=404)
    problem = ""
    if request.method == "POST" and request.user.is_authenticated:
        try:
            membership = members.accept(invitation=found, user=request.user)
        except ValidationError as error:
            problem = error.messages[0]
        else:
            invitations.forget(request)
            return redirect("overview", membership.workspace_id)
    invitations.keep(request, token)
    fits = request.user.is_authenticated and request.user.email == found.email
    context = {"invitation": found, "fits": fits, "problem": problem, "here": request.path}
    return render(request, "account/invitation.html", context)
