from __future__ import annotations

import csv
import html
import io
import re
from datetime import timedelta
from uuid import UUID

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from metering import selection
from tests.factories import ApiKeyFactory, ClientFactory
from tests.ledger import NOON, event, record
from tests.metering.views.conftest import words
from tokonomics.models import Workspace

pytestmark = pytest.mark.usefixtures("june")


@pytest.fixture
def url(workspace: Workspace) -> str:
    return f"/w/{workspace.id}/events/"


def listed(page: str) -> list[str]:
    """The ids of the calls in the table, in order."""
    return re.findall(r'id="call-([0-9a-f-]{36})"', page)


def link(page: str, text: str) -> str:
    """Where a link leads that reads like this."""
    found = re.search(rf'<a [^>]*href="([^"]*)"[^>]*>{text}</a>', page)
    assert found, text
    return html.unescape(found[1])


def test_a_call_in_the_list(as_alice: Client, url: str, workspace: Workspace) -> None:
    ClientFactory.create(workspace=workspace, slug="acme-corp", name="Acme Corp")
    record(event(workspace, cost=33_579_600), event(workspace, cost=None, admitted_at=NOON - timedelta(days=1)))
    text = words(as_alice.get(url))
    assert "2 calls · $0.03 cost + 1 unpriced · 0 estimated" in text
    row = "14:00:00 Acme Corp · gpt-4.1-mini Acme Corp gpt-4.1-mini 1,000 200 $0.033580 690 ms 200"
    assert row in text
    assert "22 June, 14:00:00 Acme Corp · gpt-4.1-mini Acme Corp gpt-4.1-mini 1,000 200 Unpriced 690 ms 200" in text
    assert "2 of 2, as of 16:32:07" in text


def test_every_filter_is_in_the_address(as_alice: Client, url: str, workspace: Workspace, stranger: Workspace) -> None:
    key = ApiKeyFactory.create(workspace=workspace, name="bot", last_four="4f2a")
    record(event(stranger), event(workspace), event(workspace, client="halcyon"))
    (wanted,) = record(
        event(
            workspace,
            client="halcyon",
            key_id=key.id,
            status="aborted",
            estimated=True,
            tags={"env": "live", "project": "x"},
        )
    )
    query = {
        "client": "halcyon",
        "provider": "openai",
        "model": "gpt-4.1-mini",
        "key": str(key.id),
        "status": "aborted",
        "only": "estimated",
        "tag.env": "live",
        "tag.project": "x",
    }
    response = as_alice.get(url, query)
    assert listed(response.content.decode()) == [str(wanted.id)]
    for chip in ("client halcyon", "key bot (mk_…4f2a)", "status Aborted", "only Estimated", "env live", "project x"):
        assert chip in words(response)


def test_a_chip_takes_its_limit_away(as_alice: Client, url: str, workspace: Workspace) -> None:
    record(event(workspace))
    page = as_alice.get(url, {"client": "acme-corp", "tag.client": "acme-corp"}).content.decode()
    assert 'href="?tag.client=acme-corp" aria-label="Remove client: acme-corp"' in page
    assert 'href="?client=acme-corp" aria-label="Remove client: acme-corp"' in page


def test_the_form_leads_to_the_short_address(as_alice: Client, url: str) -> None:
    filled = {"client": "acme", "provider": "", "model": "", "key": "", "status": "", "only": ""}
    response = as_alice.get(url, filled | {"tag_key": "env", "tag_value": "live", "tag.project": "x"})
    assert (response.status_code, response["Location"]) == (302, f"{url}?client=acme&tag.project=x&tag.env=live")


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"status": "odd"}, "Choose one of ok, aborted, provider_error, not_dispatched."),
        ({"client": "a", "unattributed": "1"}, "Choose a client or the unattributed calls, not both."),
        ({"tag_key": "1st", "tag_value": "x"}, "A tag's name is a letter, then at most 63 letters"),
        ({"tag_value": "x"}, "Name the tag that has this value."),
        ({"tag.1": "x"}, "tag.1: A tag's name is a letter, then at most 63 letters"),
        ({"model": "a\0"}, "Null characters are not allowed."),
        ({"key": "mk_1"}, "Give a key's id, as the Keys page and the API show it."),
        ({"period": "year"}, "Choose one of month, last-month, 7d, 30d, 90d."),
    ],
)
def test_a_filter_that_makes_no_sense(
    as_alice: Client, url: str, workspace: Workspace, query: dict[str, str], message: str
) -> None:
    record(event(workspace))
    response = as_alice.get(url, query)
    assert response.status_code == 400
    assert message in html.unescape(words(response))
    assert listed(response.content.decode()) == []


def test_pages_of_fifty_go_there_and_back(as_alice: Client, url: str, workspace: Workspace) -> None:
    made = record(*(event(workspace, admitted_at=NOON - timedelta(seconds=number)) for number in range(120)))
    ids = [str(item.id) for item in made]
    first = as_alice.get(url, {"client": "acme-corp"}).content.decode()
    assert listed(first) == ids[:50]
    second = as_alice.get(link(first, "Older")).content.decode()
    assert listed(second) == ids[50:100]
    third = as_alice.get(link(second, "Older")).content.decode()
    assert listed(third) == ids[100:]
    assert listed(as_alice.get(link(third, "Newer")).content.decode()) == ids[50:100]
    assert "50 of 120, as of 16:32:07" in words(as_alice.get(link(first, "Older")))


def test_a_cursor_that_somebody_made_up(as_alice: Client, url: str) -> None:
    response = as_alice.get(url, {"cursor": "made-up"})
    assert response.status_code == 400
    assert "The request makes no sense" in words(response)


def test_no_result_names_the_filters(as_alice: Client, url: str, workspace: Workspace) -> None:
    record(event(workspace))
    response = as_alice.get(url, {"client": "nobody", "tag.env": "live"})
    assert "On 1 – 23 June, Vienna no call has client nobody and env live ." in words(response)
    page = response.content.decode()
    assert link(page, "Without client") == "?tag.env=live"
    assert link(page, "Without env") == "?client=nobody"


def test_nothing_yet(as_alice: Client, url: str) -> None:
    assert "No calls on these days" in words(as_alice.get(url))


def test_too_much_shows_what_can_be_told(
    as_alice: Client, url: str, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> None:
        raise selection.TooMuch

    record(event(workspace))
    monkeypatch.setattr(selection, "page", stop)
    assert "1 calls match. Choose fewer days" in words(as_alice.get(url))
    monkeypatch.setattr(selection, "summary", stop)
    response = as_alice.get(url, {"tag.env": "live"})
    assert "Too many calls to search through" in words(response)
    assert 'href="?period=7d&amp;tag.env=live"' in response.content.decode()


def test_a_list_that_cannot_be_counted(
    as_alice: Client, url: str, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> None:
        raise selection.TooMuch

    (made,) = record(event(workspace))
    monkeypatch.setattr(selection, "summary", stop)
    response = as_alice.get(url, {"status": "ok"})
    assert "More calls than can be counted while you wait." in words(response)
    assert listed(response.content.decode()) == [str(made.id)]


@pytest.mark.parametrize("calls", [1, 3])
def test_the_list_takes_constant_queries(
    as_alice: Client, url: str, workspace: Workspace, calls: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(calls):
        ClientFactory.create(workspace=workspace, slug=f"c{number}")
        ApiKeyFactory.create(workspace=workspace)
        record(event(workspace, client=f"c{number}", model=f"m{number}", tags={f"t{number}": "x"}))
    with django_assert_num_queries(17):
        as_alice.get(url)


def test_one_call_explained(as_alice: Client, url: str, workspace: Workspace) -> None:
    ClientFactory.create(workspace=workspace, slug="acme-corp", name="Acme Corp")
    key = ApiKeyFactory.create(workspace=workspace, name="bot", last_four="4f2a")
    (made,) = record(
        event(workspace, key_id=key.id, provider_cost=700_000, stream=True, tags={"project": "chat & more"}, test=True)
    )
    response = as_alice.get(f"{url}{made.id}/")
    text = html.unescape(words(response))
    assert "Call at 23 June, 14:00:00 , Acme Corp $0.000720000 Cost, exact, of a test" in text
    assert "Input 1,000 $0.40 / 1M $0.000400000 Output 200 $1.60 / 1M $0.000320000 Cost $0.000720000" in text
    assert "As openai reports it $0.000700000" in text
    assert "List price (genai-prices 0.2.3), frozen on this call." in text
    assert "First byte 240 ms · whole answer 690 ms" in text
    assert "A call to the sandbox: it never reaches a statement." in text
    assert f"Event {made.id} Client Acme Corp acme-corp Key bot (mk_…4f2a)" in text
    assert "Provider openai, chat.completions, streamed" in text
    assert f'href="{url}?tag.project=chat+%26+more"' in response.content.decode()


def test_an_unpriced_call_says_why(as_alice: Client, url: str, workspace: Workspace) -> None:
    (made,) = record(
        event(workspace, cost=None, model="mystery", requested_model="mystery:latest", lines=[], client="")
    )
    text = words(as_alice.get(f"{url}{made.id}/"))
    assert "Unattributed Unpriced The price list has no price for mystery at openai. Nothing was guessed." in text
    assert "Model mystery, asked for as mystery:latest" in text


def test_the_list_stays_beside_the_call(as_alice: Client, url: str, workspace: Workspace) -> None:
    made, other = record(event(workspace, client="halcyon"), event(workspace, client="acme-corp"))
    page = as_alice.get(f"{url}{made.id}/", {"client": "halcyon"}).content.decode()
    assert listed(page) == [str(made.id)]
    assert 'aria-selected="true"' in page
    assert f'id="close" href="{url}?client=halcyon"' in page
    assert str(other.id) not in page


def test_the_drawer_alone_where_the_list_is(as_alice: Client, url: str, workspace: Workspace) -> None:
    (made,) = record(event(workspace))
    address = f"{url}{made.id}/"
    drawer = as_alice.get(address, headers={"HX-Request": "true"}).content.decode()
    assert drawer.startswith('<aside class="drawer"')
    again = as_alice.get(address, headers={"HX-Request": "true", "HX-History-Restore-Request": "true"})
    assert again.content.startswith(b"<!doctype html>")


def test_a_call_of_another_tenant_is_not_there(
    as_alice: Client, as_charlie: Client, url: str, workspace: Workspace, stranger: Workspace
) -> None:
    theirs, mine = record(event(stranger), event(workspace))
    assert as_alice.get(f"{url}{theirs.id}/").status_code == 404
    assert as_alice.get(f"{url}{UUID(int=7)}/").status_code == 404
    assert as_charlie.get(f"{url}{mine.id}/").status_code == 404


def test_the_file_holds_what_the_page_lists(
    as_alice: Client, url: str, workspace: Workspace, stranger: Workspace
) -> None:
    record(event(stranger), event(workspace, client="halcyon"))
    record(event(workspace, cost=5), event(workspace, cost=6))
    page = as_alice.get(url, {"client": "acme-corp"}).content.decode()
    response = as_alice.get(link(page, r"<svg.*?</svg>\s*CSV"))
    rows = list(csv.DictReader(io.StringIO(response.getvalue().decode(), newline="")))
    assert [row["event_id"] for row in rows] == listed(page)
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert response["Content-Disposition"] == 'attachment; filename="adas-agency-2026-06-01-2026-06-23.csv"'
    assert response["Cache-Control"] == "private, no-store"


def test_a_file_of_nothing_that_makes_sense(as_alice: Client, workspace: Workspace) -> None:
    response = as_alice.get(f"/w/{workspace.id}/events.csv", {"status": "odd"})
    assert response.status_code == 400
    assert response.content.decode() == "status: Choose one of ok, aborted, provider_error, not_dispatched."
