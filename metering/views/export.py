"""The events of a selection as a CSV file."""

from __future__ import annotations

from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.views.decorators.http import require_safe

from metering import clock, exports, filters
from metering.filters import InvalidFilter
from tokonomics.access import WorkspaceRequest, workspace_view
from tokonomics.models import Role


@require_safe
@workspace_view(Role.VIEWER)
def events_csv(request: WorkspaceRequest) -> HttpResponseBase:
    """Exactly what the events page shows under the same address, streamed."""
    workspace = request.workspace
    try:
        chosen = filters.read(dict(request.GET.lists()), clock.today(workspace))
    except InvalidFilter as error:
        return HttpResponse(str(error), status=400, content_type="text/plain; charset=utf-8")
    headers = {"Content-Disposition": f'attachment; filename="{exports.file_name(workspace.name, chosen)}"'}
    return StreamingHttpResponse(
        exports.events_csv(workspace.id, chosen), content_type="text/csv; charset=utf-8", headers=headers
    )
