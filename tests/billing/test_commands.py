"""The commands of the price book: importing lists, comparing them, and the rules for all workspaces."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import StringIO
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import DatabaseError, transaction
from django.utils import timezone

from billing import price_files
from billing.models import PriceList, PriceRule
from billing.pricebook import book_of, rules
from metering.usage import Usage
from tokonomics.models import Workspace

pytestmark = pytest.mark.django_db
DECEMBER = datetime(2026, 12, 1, tzinfo=UTC)
SECOND = {
    "sample_spec": {"input_cost_per_token": 0, "litellm_provider": "one of them", "mode": "chat"},
    "gpt-4.1-mini": {
        "litellm_provider": "openai",
        "mode": "chat",
        "input_cost_per_token": 5e-07,
        "output_cost_per_token": 1.6e-06,
    },
    "openai/only-there": {
        "litellm_provider": "openai",
        "mode": "chat",
        "input_cost_per_token": 1e-07,
        "output_cost_per_token": 3e-07,
    },
    "dall-e-3": {"litellm_provider": "openai", "mode": "image_generation", "output_cost_per_image": 0.04},
}


def run(*words: str, **options: Any) -> str:
    out = StringIO()
    call_command(*words, stdout=out, **options)
    return out.getvalue()


def cents(model: str, moment: datetime) -> tuple[int, str] | None:
    """What a million tokens of input cost everybody, and the version of that price."""
    card = book_of(None).rate_card("openai", model, moment)
    return None if card is None else (card.charge(Usage(input_tokens=10**6)).cost // 10**7, card.version)


@pytest.fixture
def second(tmp_path: Path) -> Path:
    file = tmp_path / "prices.json"
    file.write_text(json.dumps(SECOND))
    return file


def dearer() -> bytes:
    """The installed list, in which gpt-4.1-mini costs a dollar."""
    return price_files.installed().replace(b'"input_mtok":"0.4","cache_read_mtok":"0.1"', b'"input_mtok":"1"')


def test_the_installed_package_is_imported_as_a_version(workspace: Workspace) -> None:
    assert run("import_prices", "--from", "2026-12-01").startswith("genai-prices 0.2.3: ")
    row = PriceList.objects.get()
    assert (row.source, row.version, row.starts_at, row.origin) == (
        "genai-prices",
        "0.2.3",
        DECEMBER,
        "the installed package",
    )
    assert row.models_count > 2000
    assert "holds the same prices" in run("import_prices")
    assert PriceList.objects.count() == 1


def test_a_version_counts_from_its_moment_on(tmp_path: Path) -> None:
    file = tmp_path / "data.json"
    file.write_bytes(dearer())
    run("import_prices", "--file", str(file), "--name", "next", "--from", "2026-12-01T09:00+01:00")
    start = datetime(2026, 12, 1, 8, tzinfo=UTC)
    assert cents("gpt-4.1-mini", start) == (100, "genai-prices next")
    assert cents("gpt-4.1-mini", start.replace(hour=7)) == (40, "genai-prices 0.2.3")


def test_a_version_never_changes(second: Path) -> None:
    run("import_prices", "--source", "litellm", "--file", str(second))
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        PriceList.objects.update(version="other")


def test_the_second_source_prices_what_the_first_lacks(second: Path) -> None:
    said = run("import_prices", "--source", "litellm", "--file", str(second), "--name", "2026-11")
    assert "litellm 2026-11: 2 models" in said
    assert "1 entries are not used" in said
    assert cents("only-there", timezone.now()) == (10, "litellm 2026-11")
    assert cents("gpt-4.1-mini", timezone.now()) == (40, "genai-prices 0.2.3")


def test_a_version_is_named_by_its_day_and_hash(second: Path) -> None:
    run("import_prices", "--source", "litellm", "--file", str(second))
    row = PriceList.objects.get()
    assert row.version == f"{timezone.now():%Y-%m-%d} {row.sha256[:8]}"


@pytest.fixture
def address() -> Iterator[str]:
    """Where the second source can be downloaded: /prices, which another path leads to; else 404."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = {"/prices": 200, "/moved": 302}.get(self.path, 404)
            self.send_response(found)
            self.send_header("location", "/prices")
            self.end_headers()
            self.wfile.write(json.dumps(SECOND).encode() if found == 200 else b"")

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_list_is_downloaded_from_the_address_that_was_given(address: str) -> None:
    run("import_prices", "--source", "litellm", "--url", f"{address}/moved")
    assert PriceList.objects.get().origin == f"{address}/moved"


def test_what_cannot_be_downloaded_is_said(address: str) -> None:
    with pytest.raises(CommandError, match="answers 404"):
        run("import_prices", "--source", "litellm", "--url", f"{address}/nothing")
    with pytest.raises(CommandError, match="begins with https"):
        run("import_prices", "--url", "ftp://example.com/data.json")
    with pytest.raises(CommandError, match="cannot be read"):
        run("import_prices", "--url", "http://127.0.0.1:1/data.json")


def one_model(prices: object) -> bytes:
    model = {"id": "m", "match": {"equals": "m"}, "prices": prices}
    return json.dumps([{"id": "a", "name": "A", "api_pattern": "a", "models": [model]}]).encode()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "not JSON"),
        (b"{}", "a list of providers"),
        (b"[]", "a list of providers"),
        (b'[{"id": "a"}]', "not genai-prices"),
        (one_model([]), "no prices"),
        (one_model({"input_mtok": -1}), "a price of -1"),
        (one_model({"input_mtok": {"base": 1, "tiers": [{"start": 5, "price": -2}]}}), "a price of -2"),
    ],
)
def test_a_file_that_is_no_price_list_is_refused(tmp_path: Path, content: bytes, says: str) -> None:
    file = tmp_path / "data.json"
    file.write_bytes(content)
    with pytest.raises(CommandError, match=says):
        run("import_prices", "--file", str(file))
    assert not PriceList.objects.exists()


@pytest.mark.parametrize("content", [b"[]", b"{}", b'{"sample_spec": {}}', b'{"m": {"litellm_provider": "openai"}}'])
def test_a_file_that_is_no_second_source_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "table.json"
    file.write_bytes(content)
    with pytest.raises(CommandError, match="price table|no price"):
        run("import_prices", "--source", "litellm", "--file", str(file))


def test_other_prices_cannot_take_a_versions_name(tmp_path: Path) -> None:
    run("import_prices")
    file = tmp_path / "data.json"
    file.write_bytes(dearer())
    with pytest.raises(CommandError, match="name this one differently"):
        run("import_prices", "--file", str(file), "--name", "0.2.3")
    with pytest.raises(CommandError, match="without a comma"):
        run("import_prices", "--file", str(file), "--name", "a, b")
    with pytest.raises(CommandError, match="only genai-prices is installed"):
        run("import_prices", "--source", "litellm")
    with pytest.raises(CommandError, match="is not a moment"):
        run("import_prices", "--from", "tomorrow")


def test_drift_between_the_sources(second: Path) -> None:
    run("import_prices", "--source", "litellm", "--file", str(second), "--name", "x")
    lines = run("price_drift", "--provider", "openai", "--missing").splitlines()
    assert lines[0].startswith("genai-prices 0.2.3 → litellm x, prices of ")
    assert "openai gpt-4.1-mini input_mtok: 0.4 → 0.5" in lines
    assert "openai gpt-4.1-mini cache_read_mtok: 0.1 → none" in lines
    assert "openai only-there: only in litellm x" in lines
    assert not [line for line in lines if "output_mtok" in line]
    assert " prices differ; " in lines[-1]
    assert len(run("price_drift", "--provider", "openai").splitlines()) < len(lines)


def test_drift_between_versions(tmp_path: Path) -> None:
    file = tmp_path / "data.json"
    file.write_bytes(dearer())
    run("import_prices", "--file", str(file), "--name", "next", "--from", "2099-01-01")
    lines = run("price_drift", "genai-prices next", "--provider", "openai").splitlines()
    assert lines[1:] == [
        "openai gpt-4.1-mini input_mtok: 0.4 → 1",
        "openai gpt-4.1-mini cache_read_mtok: 0.1 → none",
        "2 prices differ; 0 models are in one list only.",
    ]
    both = run("price_drift", "genai-prices next", "genai-prices 0.2.3", "--provider", "openai").splitlines()
    assert both[1] == "openai gpt-4.1-mini input_mtok: 1 → 0.4"


def test_drift_from_what_is_not_there_is_refused() -> None:
    with pytest.raises(CommandError, match="no version litellm"):
        run("price_drift")
    with pytest.raises(CommandError, match="two versions at most"):
        run("price_drift", "a", "b", "c")


def test_a_price_for_all_workspaces(workspace: Workspace) -> None:
    said = run("price_book", "price", "openai", "gpt-4.1-mini", "input_mtok=0.30", "--from", "2026-12-01")
    assert said.endswith("from 2026-12-01 00:00 UTC: own price of openai gpt-4.1-mini input_mtok=0.3\n")
    rule = PriceRule.objects.get()
    assert (rule.workspace, rule.made_by, rule.starts_at) == (None, "Tokonomics", DECEMBER)
    assert cents("gpt-4.1-mini", DECEMBER) == (30, f"genai-prices 0.2.3, price {rule.pk}")
    assert run("price_book", "list") == said.replace(" UTC", "")
    run("price_book", "end", str(rule.pk), "--at", "2026-12-01")
    assert "until 2026-12-01 00:00" in run("price_book", "list")
    assert cents("gpt-4.1-mini", DECEMBER) == (40, "genai-prices 0.2.3")


def test_a_discount_and_an_alias_of_one_workspace(workspace: Workspace) -> None:
    run("price_book", "discount", "-5", "--provider", "openai", "--workspace", str(workspace.pk))
    run("price_book", "alias", "azure", "chat", "openai", "gpt-4.1-mini", "--workspace", str(workspace.pk))
    assert list(rules().filter(workspace=None)) == []
    card = book_of(workspace).rate_card("openai", "gpt-4.1-mini", timezone.now())
    assert card is not None
    assert card.charge(Usage(input_tokens=100)).lines[0].unit_price == Decimal("0.00000042")
    lines = run("price_book", "list", "--workspace", str(workspace.pk)).splitlines()
    assert [line.partition(": ")[2] for line in lines] == [
        "discount of openai -5 %",
        "alias of azure chat as openai gpt-4.1-mini",
    ]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("price openai m input=1", "There is no unit input"),
        ("price openai m input_mtok=x", "not a number"),
        ("discount 101", "up to 100"),
        ("discount 5 --workspace 0199aaaa-0000-7000-8000-000000000000", "no workspace"),
        ("discount 5 --workspace mine", "not an id"),
        ("alias azure chat openai nothing", "no price either"),
        ("end 0199aaaa-0000-7000-8000-000000000000", "no rule"),
    ],
)
def test_a_rule_that_cannot_be_is_refused(words: str, says: str) -> None:
    with pytest.raises(CommandError, match=says):
        run("price_book", *words.split())
    assert not PriceRule.objects.exists()
