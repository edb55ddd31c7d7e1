"""What every test may ask for. The database is the product's own embedded one, unless DATABASE_URL names a server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.conf import settings
from django.core.cache import cache

from tokonomics import embedded

pytest_plugins = ["tests.people"]


@pytest.fixture(scope="session")
def engines() -> Iterator[None]:
    """PostgreSQL while any process of this test run needs it; each process has a database of its own in it."""
    chosen = [embedded.Postgres(settings.DATA_DIR, durable=False)] if settings.EMBEDDED_DATABASE else []
    with embedded.engines(chosen):
        yield


@pytest.fixture(scope="session")
def django_db_modify_db_settings(engines: None, django_db_modify_db_settings_parallel_suffix: None) -> None:
    """Have the server up before a test database is made in it."""


@pytest.fixture(autouse=True)
def _fresh_cache() -> Iterator[None]:
    """Let no test see what another one has cached, rate limits included."""
    yield
    cache.clear()
