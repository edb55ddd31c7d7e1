"""The pages of metering, all of a workspace, its part of the REST API, and what monitoring asks."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from metering.api.events import EventCsv, EventList
from metering.api.own import OwnUsage
from metering.api.usage import Usage
from metering.views import (
    budgets,
    client,
    clients,
    events,
    export,
    key,
    keys,
    metrics,
    overview,
    providers,
    workspace_budget,
)

urlpatterns: list[URLPattern | URLResolver] = [
    path("metrics", metrics.metrics, name="metrics"),
    path("w/<uuid:workspace>/", overview.overview, name="overview"),
    path("w/<uuid:workspace>/live/", overview.overview_live, name="overview_live"),
    path("w/<uuid:workspace>/events/", events.events, name="events"),
    path("w/<uuid:workspace>/events.csv", export.events_csv, name="events_csv"),
    path("w/<uuid:workspace>/events/<uuid:event>/", events.event, name="event"),
    path("w/<uuid:workspace>/clients/", clients.clients, name="clients"),
    path("w/<uuid:workspace>/clients/new/", clients.client_new, name="client_new"),
    path("w/<uuid:workspace>/clients/<uuid:client>/", client.client, name="client"),
    path("w/<uuid:workspace>/clients/<uuid:client>/live/", client.client_live, name="client_live"),
    path("w/<uuid:workspace>/clients/<uuid:client>/edit/", clients.client_edit, name="client_edit"),
    path("w/<uuid:workspace>/clients/<uuid:client>/archive/", clients.client_archive, name="client_archive"),
    path("w/<uuid:workspace>/clients/<uuid:client>/restore/", clients.client_restore, name="client_restore"),
    path("w/<uuid:workspace>/clients/<uuid:client>/budget/", budgets.client_budget, name="client_budget"),
]

urlpatterns += [
    path("w/<uuid:workspace>/keys/", keys.keys, name="keys"),
    path("w/<uuid:workspace>/keys/new/", keys.key_new, name="key_new"),
    path("w/<uuid:workspace>/keys/<uuid:key>/", key.key, name="key"),
    path("w/<uuid:workspace>/keys/<uuid:key>/edit/", key.key_edit, name="key_edit"),
    path("w/<uuid:workspace>/keys/<uuid:key>/revoke/", key.key_revoke, name="key_revoke"),
    path("w/<uuid:workspace>/keys/<uuid:key>/budget/", budgets.key_budget, name="key_budget"),
]

urlpatterns += [
    path("w/<uuid:workspace>/settings/budget/", workspace_budget.workspace_budget, name="workspace_budget"),
    path("w/<uuid:workspace>/settings/budget/set/", budgets.whole_budget, name="whole_budget"),
    path("w/<uuid:workspace>/budgets/<uuid:budget>/live/", budgets.budget_live, name="budget_live"),
    path("w/<uuid:workspace>/budgets/<uuid:budget>/raise/", budgets.budget_raise, name="budget_raise"),
    path("w/<uuid:workspace>/budgets/<uuid:budget>/raise/end/", budgets.budget_raise_end, name="budget_raise_end"),
    path("w/<uuid:workspace>/budgets/<uuid:budget>/pause/", budgets.budget_pause, name="budget_pause"),
    path("w/<uuid:workspace>/budgets/<uuid:budget>/resume/", budgets.budget_resume, name="budget_resume"),
    path("w/<uuid:workspace>/budgets/<uuid:budget>/remove/", budgets.budget_remove, name="budget_remove"),
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
