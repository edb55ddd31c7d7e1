"""Every address of the site. Proxied calls (`/proxy/…`) never come here: the gateway answers them itself."""

from __future__ import annotations

from django.conf import settings
from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path, re_path
from drf_spectacular.views import SpectacularAPIView

from tokonomics import health, problems, site

urlpatterns: list[URLPattern | URLResolver] = [
    path("", site.home, name="home"),
    path("healthz", health.healthz, name="healthz"),
    path("accounts/", include("allauth.urls")),
    path("", include("tokonomics.workspace_urls")),
    path("", include("metering.urls")),
    path("", include("billing.urls")),
    path("api/v1/schema", SpectacularAPIView.as_view(), name="api_schema"),
    re_path(r"^api(?:/|$)", problems.not_found),
]

if settings.ADMIN_ENABLED:
    urlpatterns += [path("admin/", admin.site.urls)]
