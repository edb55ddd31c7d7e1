from __future__ import annotations

from metering import names
from tests.factories import ApiKeyFactory, ClientFactory
from tokonomics.models import Workspace


def test_known_unconfirmed_unknown_and_unattributed(workspace: Workspace, stranger: Workspace) -> None:
    ClientFactory.create(workspace=workspace, slug="acme", name="Acme Corp")
    ClientFactory.create(workspace=workspace, slug="new", name="new", confirmed_at=None)
    ClientFactory.create(workspace=stranger, slug="theirs", name="Secret")
    found = names.clients(workspace.id, ["acme", "new", "theirs", ""])
    shown = [(found[slug].label, found[slug].confirmed) for slug in ("acme", "new", "theirs", "")]
    assert shown == [("Acme Corp", True), ("new", False), ("theirs", False), ("Unattributed", True)]


def test_a_client_keeps_its_colour_whoever_else_is_drawn(workspace: Workspace) -> None:
    for number in range(8):
        ClientFactory.create(workspace=workspace, slug=f"c{number}")
    everybody = [f"c{number}" for number in range(8)]
    all_drawn = names.clients(workspace.id, everybody, everybody)
    assert [all_drawn[slug].css for slug in everybody] == [f"f{slot}" for slot in range(1, 9)]
    two = names.clients(workspace.id, everybody, ["c7", "c2"])
    assert (two["c7"].css, two["c2"].css, two["c0"].css) == ("f8", "f3", names.OTHERS)


def test_colours_do_not_depend_on_the_order() -> None:
    drawn = ["gpt-4.1", "claude-sonnet-4-5", "gemini-2.5-flash"]
    assert names.colours(drawn) == names.colours(drawn[::-1])
    assert len(set(names.colours(drawn).values())) == 3


def test_keys_by_id(workspace: Workspace, stranger: Workspace) -> None:
    mine = ApiKeyFactory.create(workspace=workspace, name="production", last_four="4f2a")
    theirs = ApiKeyFactory.create(workspace=stranger)
    found = names.keys(workspace.id, [str(mine.id), str(theirs.id)])
    assert found == {str(mine.id): "production (mk_…4f2a)"}
