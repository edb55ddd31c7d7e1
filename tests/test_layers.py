"""The import table: each module may know what stands below it, and nothing above or beside it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
APPS = ("tokonomics", "metering", "billing", "alerts")

PURE, MODELS, DOMAIN, FORMS, EDGES, PROJECT = range(6)
LAYERS = {
    PURE: """
        tokonomics.addresses tokonomics.crypto tokonomics.embedded tokonomics.environment tokonomics.figures
        tokonomics.ids tokonomics.logs tokonomics.processes
        metering.answers metering.bounds metering.chart metering.compression metering.errors metering.eventstream
        metering.encodings metering.estimates metering.exact_json metering.families metering.json_edit
        metering.json_stream metering.meter metering.months metering.multipart metering.periods metering.prompt_text
        metering.providers metering.records metering.sse metering.tags metering.tokens metering.usage
        billing.book billing.cards billing.catalogue billing.decomposition billing.listing billing.litellm billing.money
        billing.price_files billing.pricing billing.reading billing.rules billing.sandbox
        billing.worst_case
        alerts.thresholds
    """.split(),
    MODELS: [f"{app}.models" for app in APPS] + ["metering.ledger"],
    FORMS: [f"{app}.forms" for app in APPS],
    EDGES: [
        f"{app}.{edge}"
        for app in APPS
        for edge in ("admin", "api", "management", "tasks", "templatetags", "views")
        if f"{app}.{edge}" != "tokonomics.api"  # the door of every API, as tokonomics.access is that of every page
    ]
    + ["metering.gateway", "tokonomics.health", "tokonomics.site"],
    PROJECT: "tokonomics.celery tokonomics.parts tokonomics.settings tokonomics.urls tokonomics.wsgi".split()
    + [f"{app}.{file}" for app in APPS for file in ("apps", "urls", "workspace_urls", "checks")],
}
STARTERS = [f"{app}.management.commands.{name}" for app in APPS for name in ("gateway", "recorder", "serve")]
"""Commands that start another edge or the whole, and so know it."""
DOORED = (".api", ".forms", ".views")
"""Edges that visitors reach: they find rows from a workspace that a door has let them into."""
TENANT_MODELS = """
    Client ProviderCredential ApiKey Budget UsageEvent Membership Invitation ApiToken AuditEntry PriceRule
""".split()


def unit_of(module: str) -> str:
    """The part of the table that a module belongs to, else the module itself."""
    units = [unit for members in LAYERS.values() for unit in members if f"{module}.".startswith(f"{unit}.")]
    return units[0] if units else module


def layer_of(module: str) -> int:
    """What is not in the table is domain."""
    return next((layer for layer, units in LAYERS.items() if unit_of(module) in units), DOMAIN)


@cache
def modules() -> dict[str, ast.Module]:
    """Every module of the product, by dotted name, without migrations."""
    files = [file for app in APPS for file in (ROOT / app).rglob("*.py") if "migrations" not in file.parts]
    names = [".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for file in files]
    return {name: ast.parse(file.read_bytes()) for name, file in zip(names, files, strict=True)}


def imports(tree: ast.AST, *, for_types: bool = True) -> Iterator[str]:
    """The modules that a piece of code names; `from a import b` is a.b where that is a module."""
    guards = [] if for_types else [node for node in ast.walk(tree) if _is_for_types(node)]
    skipped = {inner for guard in guards for inner in ast.walk(guard)}
    for node in ast.walk(tree):
        if node in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in modules() else node.module


def _is_for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


@pytest.mark.parametrize("module", sorted(modules()))
def test_a_module_knows_only_what_is_below(module: str) -> None:
    layer, unit = layer_of(module), unit_of(module)
    for other in imports(modules()[module]):
        if layer == PURE:
            assert other.partition(".")[0] not in {"django", "rest_framework", "allauth", "celery"}, other
        if other not in modules() or unit_of(other) == unit or module in STARTERS:
            continue
        assert layer_of(other) <= layer, f"{other} is above {module}"
        assert not (layer == layer_of(other) == EDGES), f"{other} and {module} are both edges"
        if layer == layer_of(other) == MODELS:
            assert APPS.index(other.partition(".")[0]) <= APPS.index(module.partition(".")[0]), (
                f"{other} is right of {module}"
            )


def test_nothing_imports_in_a_circle() -> None:
    graph = {
        name: {other for other in imports(tree, for_types=False) if other in modules()} - {name}
        for name, tree in modules().items()
    }
    TopologicalSorter(graph).prepare()


@pytest.mark.parametrize("module", sorted(name for name in modules() if unit_of(name).endswith(DOORED)))
def test_a_page_reaches_tenant_rows_only_through_a_door(module: str) -> None:
    for node in ast.walk(modules()[module]):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Attribute) and node.value.attr == "objects":
            owner = node.value.value
            if isinstance(owner, ast.Name) and node.attr != "none":
                assert owner.id not in TENANT_MODELS, f"line {node.lineno}: {owner.id}.objects.{node.attr}"
