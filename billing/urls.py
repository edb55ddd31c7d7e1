"""The pages of prices, all of a workspace, and its part of the REST API."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from billing.api import Prices
from billing.views import prices, reported, repricing, rules, unpriced

urlpatterns: list[URLPattern | URLResolver] = [
    path("w/<uuid:workspace>/prices/", prices.prices, name="prices"),
    path("w/<uuid:workspace>/prices/model/", prices.price, name="price"),
    path("w/<uuid:workspace>/prices/rules/", rules.price_rules, name="price_rules"),
    *(
        path(f"w/<uuid:workspace>/prices/rules/new/{kind}/", rules.price_rule_new, {"kind": kind}, name=f"{kind}_new")
        for kind in ("price", "discount", "alias")
    ),
    path("w/<uuid:workspace>/prices/rules/<uuid:rule>/end/", rules.price_rule_end, name="price_rule_end"),
    path("api/v1/prices", Prices.as_view(), name="api_prices"),
]

urlpatterns += [
    path("w/<uuid:workspace>/prices/unpriced/", unpriced.unpriced, name="unpriced"),
    *(
        path(f"w/<uuid:workspace>/prices/unpriced/{kind}/", unpriced.unpriced_price, {"kind": kind}, name=name)
        for kind, name in (("price", "unpriced_price"), ("alias", "unpriced_alias"))
    ),
    path("w/<uuid:workspace>/prices/repricing/", repricing.repricings, name="repricings"),
    path("w/<uuid:workspace>/prices/repricing/new/", repricing.repricing_new, name="repricing_new"),
    path("w/<uuid:workspace>/prices/repricing/<uuid:run>/", repricing.repricing, name="repricing"),
    path("w/<uuid:workspace>/prices/repricing/<uuid:run>/apply/", repricing.repricing_apply, name="repricing_apply"),
    path("w/<uuid:workspace>/prices/reported/", reported.reported, name="reported"),
]
