from __future__ import annotations

from tests.factories import ApiTokenFactory
from tokonomics import audit
from tokonomics.models import User, Workspace


def test_record_keeps_names_as_they_were(alice: User, workspace: Workspace) -> None:
    entry = audit.record("changed", workspace, workspace=workspace, actor=alice, name=audit.change("a", "b"))
    alice.delete()
    entry.refresh_from_db()
    assert entry.actor is None
    assert (entry.actor_name, entry.verb) == ("alice@example.com", "changed")
    assert (entry.object_type, entry.object_id, entry.object_name) == ("workspace", str(workspace.pk), "Ada's Agency")
    assert entry.details == {"name": {"before": "a", "after": "b"}}


def test_a_token_is_an_actor_too(workspace: Workspace) -> None:
    token = ApiTokenFactory.create(workspace=workspace, name="report", last_four="wxyz")
    entry = audit.record("made", workspace, workspace=workspace, actor=token)
    assert (entry.actor, entry.actor_name) == (None, "report (tk_…wxyz)")


def test_the_system_acts_under_its_own_name(workspace: Workspace) -> None:
    assert audit.record("made", workspace, workspace=workspace, actor=None).actor_name == "Tokonomics"
