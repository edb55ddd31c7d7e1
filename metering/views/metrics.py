"""The figures of the installation, for its operator's monitoring."""

from __future__ import annotations

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.crypto import constant_time_compare
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST

from metering.gauges import exposition


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Prometheus' text format, for who sends METRICS_TOKEN as a bearer token; to all others there is no such page."""
    expected = f"Bearer {settings.METRICS_TOKEN}"
    if not settings.METRICS_TOKEN or not constant_time_compare(request.headers.get("Authorization", ""), expected):
        raise Http404
    return HttpResponse(exposition(settings.SPOOL_DIR, settings.SPOOL_MAX_BYTES), content_type=CONTENT_TYPE_LATEST)
