from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine
from django.test import Client

from tests.factories import ApiTokenFactory
from tokonomics.models import Workspace

TOKEN = "tk_0123456789"
Get = Callable[..., Any]


@pytest.fixture(autouse=True)
def _june() -> Any:
    with time_machine.travel(datetime(2026, 6, 23, 14, 32, 7, tzinfo=UTC), tick=False):
        yield


@pytest.fixture
def get(workspace: Workspace) -> Get:
    """Ask the API with a token of all scopes, or with another `bearer`."""
    ApiTokenFactory.create(workspace=workspace, token=TOKEN, scopes=["events:read", "usage:read"])

    def ask(path: str, query: Any = None, bearer: str = TOKEN) -> Any:
        headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
        return Client().get(f"/api/v1/{path}", query, headers=headers)

    return ask
