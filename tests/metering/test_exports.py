from __future__ import annotations

import csv
import io
import json
import tracemalloc
from datetime import UTC, date, datetime
from decimal import Decimal

import defusedcsv.csv  # type: ignore[import-untyped]
import pytest
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from metering import exports, reports, selection
from metering.filters import EventFilter
from metering.periods import Period, preset
from tests.factories import WorkspaceFactory
from tests.ledger import NOON, event, record
from tokonomics.models import Workspace

MONTH = preset("month", date(2026, 6, 23))
ALL = EventFilter(MONTH)
CONTRACT = (
    "event_id,timestamp,client,provider,model,endpoint,input_tokens,cache_read_tokens,cache_write_tokens,output_tokens,"
    "reasoning_tokens,total_tokens,cost_usd,price,currency,status,estimated,latency_ms,api_key,tags"
)
printable = st.text(st.characters(exclude_categories=["Cs", "Cc", "Cf", "Zl", "Zp"]), max_size=12)


def text_of(workspace: Workspace, chosen: EventFilter = ALL) -> str:
    return b"".join(exports.events_csv(workspace.id, chosen)).decode()


def rows(workspace: Workspace, chosen: EventFilter = ALL) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text_of(workspace, chosen), newline="")))


def escaped(workspace: Workspace, value: str) -> str:
    """A tag's value, as the file has it."""
    record(event(workspace, tags={"note": value}))
    return rows(workspace)[0]["tag.note"]


def test_the_contract_s_columns_come_first(workspace: Workspace) -> None:
    record(event(workspace, tags={"project": "chatbot", "env": "live"}))
    header, *_ = text_of(workspace).split("\r\n")
    assert header == f"{CONTRACT},tag.env,tag.project"


def test_a_row(workspace: Workspace) -> None:
    (made,) = record(
        event(
            workspace,
            admitted_at=datetime(2026, 6, 23, 12, 0, 0, 5, tzinfo=UTC),
            cost=33_579_600,
            cache_read_tokens=400,
            cache_write_tokens=30,
            reasoning_tokens=2,
            tags={"client": "acme-corp", "project": "chat"},
        )
    )
    assert rows(workspace) == [
        {
            "event_id": str(made.id),
            "timestamp": "2026-06-23T12:00:00.000005Z",
            "client": "acme-corp",
            "provider": "openai",
            "model": "gpt-4.1-mini",
            "endpoint": "chat.completions",
            "input_tokens": "1000",
            "cache_read_tokens": "400",
            "cache_write_tokens": "30",
            "output_tokens": "200",
            "reasoning_tokens": "2",
            "total_tokens": "1200",
            "cost_usd": "0.0335796",
            "price": "",
            "currency": "USD",
            "status": "ok",
            "estimated": "false",
            "latency_ms": "690",
            "api_key": "production",
            "tags": '{"client": "acme-corp", "project": "chat"}',
            "tag.client": "acme-corp",
            "tag.project": "chat",
        }
    ]


def test_an_unknown_cost_is_an_empty_cell_and_a_free_call_is_not(workspace: Workspace) -> None:
    record(event(workspace, cost=None, estimated=True), event(workspace, cost=0, admitted_at=NOON.replace(hour=1)))
    assert [(row["cost_usd"], row["estimated"]) for row in rows(workspace)] == [("", "true"), ("0", "false")]


def test_an_unattributed_call_has_an_empty_client(workspace: Workspace) -> None:
    record(event(workspace, client=""))
    assert rows(workspace)[0]["client"] == ""


@pytest.mark.parametrize("nano", [1, 10**9, 123_456_789_012_345_678, 2**63 - 1])
def test_money_is_exact_in_plain_digits(workspace: Workspace, nano: int) -> None:
    record(event(workspace, cost=nano))
    cell = rows(workspace)[0]["cost_usd"]
    assert "E" not in cell.upper()
    assert Decimal(cell) * 10**9 == nano


def test_overview_and_events_and_file_have_one_total(workspace: Workspace, stranger: Workspace) -> None:
    record(event(stranger, cost=10**15))
    made = record(*(event(workspace, client=f"c{number % 7}", cost=number * 7 + 1) for number in range(200)))
    total = sum(item.cost or 0 for item in made)
    assert reports.overview(workspace.id, MONTH).total.cost == total
    assert selection.summary(workspace.id, ALL).cost == total
    assert sum(Decimal(row["cost_usd"]) for row in rows(workspace)) * 10**9 == total


def test_only_what_is_filtered(workspace: Workspace, stranger: Workspace) -> None:
    record(event(stranger, client="acme-corp", tags={"secret": "theirs"}))
    record(event(workspace, client="halcyon", tags={"project": "x"}))
    (mine,) = record(event(workspace, client="acme-corp", tags={"env": "live"}))
    found = rows(workspace, EventFilter(MONTH, client="acme-corp"))
    assert [(row["event_id"], row["tag.env"]) for row in found] == [(str(mine.id), "live")]
    assert not {"tag.project", "tag.secret"} & set(found[0])


def test_another_period_is_left_out(workspace: Workspace) -> None:
    record(event(workspace))
    assert rows(workspace, EventFilter(Period(date(2026, 5, 1), date(2026, 5, 31)))) == []


def test_newest_first(workspace: Workspace) -> None:
    made = record(*(event(workspace, admitted_at=NOON.replace(hour=hour)) for hour in (3, 9, 6)))
    newest = sorted(made, key=lambda item: item.admitted_at, reverse=True)
    assert [row["event_id"] for row in rows(workspace)] == [str(item.id) for item in newest]


def test_quotes_commas_and_unicode_survive(workspace: Workspace) -> None:
    value = 'She said "5,5 €" 🎉'
    assert escaped(workspace, value) == value
    assert json.loads(rows(workspace)[0]["tags"]) == {"note": value}


def test_lines_end_with_cr_lf_and_a_break_within_a_cell_stays(workspace: Workspace) -> None:
    record(event(workspace, model="odd\nmodel", tags={}))
    text = text_of(workspace)
    assert text.count("\r\n") == 2
    assert '"odd\nmodel"' in text


@pytest.mark.parametrize(
    "value",
    [
        "=1+1",
        "+1+1",
        "-1+1",
        "@SUM(1)",
        "|calc",
        "%0A=1",
        "＝1+1",
        "＋1",
        "－1a",
        "＠x",
        " =1",
        "\u00a0=1",
        "'=1",
        '"=1',
        " '\" =1",
    ],
)
def test_what_could_be_a_formula_gets_an_apostrophe(workspace: Workspace, value: str) -> None:
    assert escaped(workspace, value) == f"'{value}"


@pytest.mark.parametrize(
    ("model", "cell"),
    [
        ("\t=1", "'\t=1"),
        ("\tx", "'\tx"),
        ("\rx", "'\rx"),
        ("x\n=y", "x\n'=y"),
        ("x\r\n@y", "x\r\n'@y"),
    ],
)
def test_tabs_and_breaks_hide_no_formula(workspace: Workspace, model: str, cell: str) -> None:
    record(event(workspace, model=model, tags={}))
    assert rows(workspace)[0]["model"] == cell


@pytest.mark.parametrize("value", ["-0.50", "-1,200", "12", "acme-corp", "a=b", "x@y.example", "50 %", ""])
def test_numbers_and_names_stay_as_they_are(workspace: Workspace, value: str) -> None:
    assert escaped(workspace, value) == value


class AgainstDefusedCsv(TestCase):
    @given(st.one_of(printable, printable.map(lambda text: f"={text}"), st.from_regex(r"[-+@|%=\s'\"]{1,3}\w*")))
    def test_no_cell_is_less_safe_than_defusedcsv_makes_it(self, value: str) -> None:
        value = "".join(letter for letter in value if letter.isprintable())
        workspace = WorkspaceFactory.create()
        ours = escaped(workspace, value)
        theirs = defusedcsv.csv._escape(value)
        assert ours in (value, f"'{value}")
        if theirs != value:
            assert ours == f"'{value}"


def test_the_file_comes_in_pieces_of_64_kib(workspace: Workspace) -> None:
    record(*(event(workspace, tags={"note": "x" * 200}) for _ in range(400)))
    pieces = list(exports.events_csv(workspace.id, ALL))
    assert len(pieces) > 2
    assert all(len(piece) >= exports.CHUNK for piece in pieces[:-1])
    assert len(rows(workspace)) == 400


def test_memory_does_not_grow_with_the_file(workspace: Workspace) -> None:
    def peak() -> int:
        tracemalloc.start()
        for _ in exports.events_csv(workspace.id, ALL):
            pass
        _, highest = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return highest

    record(*(event(workspace, tags={"note": "x" * 200}) for _ in range(300)))
    peak()
    small = peak()
    record(*(event(workspace, tags={"note": "x" * 200}) for _ in range(1500)))
    assert peak() < small + 2 * exports.CHUNK


def test_the_end_of_a_line_cannot_be_forged(workspace: Workspace) -> None:
    forged = f",{'0' * 32}\n"
    record(event(workspace, model=f"m{forged}", tags={"note": "x"}))
    assert [row["model"] for row in rows(workspace)] == [f"m{forged}"]


def test_an_export_that_is_given_up_leaves_nothing_open(workspace: Workspace) -> None:
    record(*(event(workspace, tags={"note": "x" * 200}) for _ in range(600)))
    pieces = exports.events_csv(workspace.id, ALL)
    next(pieces)
    pieces.close()  # type: ignore[attr-defined]
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        assert cursor.fetchone() == (1,)


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("Northlight Studio", "northlight-studio-2026-06-01-2026-06-23.csv"),
        ('Ev"il\r\n; ../x', "evil-x-2026-06-01-2026-06-23.csv"),
        ("日本", "workspace-2026-06-01-2026-06-23.csv"),
    ],
)
def test_file_name(name: str, file: str) -> None:
    assert exports.file_name(name, ALL) == file
