from __future__ import annotations

from typing import Any

import pytest
from django.db import transaction
from kombu.exceptions import OperationalError
from kombu.simple import SimpleQueue

from tokonomics import work

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def queue() -> Any:
    """What workers would find."""
    with work._sender().connection_for_read() as connection:
        found = SimpleQueue(connection.channel(), "celery")
        found.clear()
        yield found
        found.close()


def test_a_worker_finds_the_task_once_the_transaction_is_committed(queue: Any) -> None:
    with transaction.atomic():
        work.ask("billing.tasks.go_on", "one")
        assert queue.qsize() == 0
    message = queue.get(block=False)
    assert (message.headers["task"], message.payload[0]) == ("billing.tasks.go_on", ["one"])


def test_nothing_is_asked_for_what_is_rolled_back(queue: Any) -> None:
    with transaction.atomic():
        work.ask("billing.tasks.go_on", "one")
        transaction.set_rollback(True)
    assert queue.qsize() == 0


def test_a_broker_that_is_away_stops_nobody(monkeypatch: pytest.MonkeyPatch, caplog: Any) -> None:
    def away(*args: Any, **kwargs: Any) -> None:
        raise OperationalError("refused")

    monkeypatch.setattr(work._sender(), "send_task", away)
    work.ask("billing.tasks.go_on", "one")
    assert "No worker could be asked for billing.tasks.go_on" in caplog.text
