from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import connection
from django.test import Client
from pytest_django import DjangoDbBlocker


@contextmanager
def unreachable() -> Iterator[None]:
    """The database gone: connections are tried at an address where nothing listens."""
    host = connection.settings_dict["HOST"]
    connection.close()
    connection.settings_dict["HOST"] = "/nowhere"
    try:
        yield
    finally:
        connection.settings_dict["HOST"] = host


@pytest.mark.django_db
def test_the_site_is_healthy_while_the_database_answers(client: Client) -> None:
    answer = client.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_the_site_is_not_healthy_without_the_database(client: Client, django_db_blocker: DjangoDbBlocker) -> None:
    with django_db_blocker.unblock(), unreachable():
        answer = client.get("/healthz")
    assert (answer.status_code, answer.json()["status"]) == (503, "unavailable")


@pytest.mark.django_db
def test_it_is_only_read(client: Client) -> None:
    assert client.post("/healthz").status_code == 405
