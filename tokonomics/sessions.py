"""How long a session lasts: so long after its log-in, and so long after its last request."""

from __future__ import annotations

import time
from collections.abc import Callable

from django.conf import settings
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponseBase

NOTE_SECONDS = 600
"""How exact the last request is kept: a page that polls must not write its session each time."""


class SessionLimits:
    """Log out whoever signed in SESSION_COOKIE_AGE seconds ago, or was last seen SESSION_IDLE_AGE seconds ago."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.user.is_authenticated:
            self.hold(request, int(time.time()))
        return self.get_response(request)

    def hold(self, request: HttpRequest, now: int) -> None:
        """Keep, or end, the session of a signed-in request; `now` in seconds since the epoch."""
        started = request.session.setdefault("started", now)
        seen = request.session.setdefault("seen", now)
        if now - started > settings.SESSION_COOKIE_AGE or now - seen > settings.SESSION_IDLE_AGE:
            logout(request)
        elif now - seen > NOTE_SECONDS:
            request.session["seen"] = now
