"""The pages of metering, all of a workspace, and its part of the REST API."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from metering.api.events import EventCsv, EventList
from metering.api.own import OwnUsage
from metering.api.usage import Usage
from metering.views import clients, events, export, keys, overview, providers

urlpatterns: list[URLPattern | URLResolver] = [
    path("w/<uuid:workspace>/", overview.overview, name="overview"),
    path("w/<uuid:workspace>/live/", overview.overview_live, name="overview_live"),
    path("w/<uuid:workspace>/events/", events.events, name="events"),
    path("w/<uuid:workspace>/events.csv", export.events_csv, name="events_csv"),
    path("w/<uuid:workspace>/events/<uuid:event>/", events.event, name="event"),
    path("w/<uuid:workspace>/clients/", clients.clients, name="clients"),
]

urlpatterns += [
    path("w/<uuid:workspace>/keys/", keys.keys, name="keys"),
    path("w/<uuid:workspace>/keys/new/", keys.key_new, name="key_new"),
    path("w/<uuid:workspace>/keys/<uuid:key>/rename/", keys.key_rename, name="key_rename"),
    path("w/<uuid:workspace>/keys/<uuid:key>/revoke/", keys.key_revoke, name="key_revoke"),
]

urlpatterns += [
    path("w/<uuid:workspace>/providers/", providers.provider_list, name="providers"),
    path("w/<uuid:workspace>/providers/connect/", providers.provider_choose, name="provider_choose"),
    path("w/<uuid:workspace>/providers/connect/<slug:slug>/", providers.provider_connect, name="provider_connect"),
    path("w/<uuid:workspace>/providers/<uuid:credential>/", providers.provider_edit, name="provider_edit"),
    path("w/<uuid:workspace>/providers/<uuid:credential>/test/", providers.provider_test, name="provider_test"),
    path(
        "w/<uuid:workspace>/providers/<uuid:credential>/default/", providers.provider_default, name="provider_default"
    ),
    path(
        "w/<uuid:workspace>/providers/<uuid:credential>/archive/", providers.provider_archive, name="provider_archive"
    ),
    path(
        "w/<uuid:workspace>/providers/<uuid:credential>/restore/", providers.provider_restore, name="provider_restore"
    ),
]

urlpatterns += [
    path("api/v1/events", EventList.as_view(), name="api_events"),
    path("api/v1/events.csv", EventCsv.as_view(), name="api_events_csv"),
    path("api/v1/usage", Usage.as_view(), name="api_usage"),
    path("api/v1/me/usage", OwnUsage.as_view(), name="api_own_usage"),
]
