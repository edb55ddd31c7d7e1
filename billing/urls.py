"""The pages of prices, all of a workspace."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from billing.views import prices, rules

urlpatterns: list[URLPattern | URLResolver] = [
    path("w/<uuid:workspace>/prices/", prices.prices, name="prices"),
    path("w/<uuid:workspace>/prices/model/", prices.price, name="price"),
    path("w/<uuid:workspace>/prices/rules/", rules.price_rules, name="price_rules"),
    *(
        path(f"w/<uuid:workspace>/prices/rules/new/{kind}/", rules.price_rule_new, {"kind": kind}, name=f"{kind}_new")
        for kind in ("price", "discount", "alias")
    ),
    path("w/<uuid:workspace>/prices/rules/<uuid:rule>/end/", rules.price_rule_end, name="price_rule_end"),
]
