"""What every test may ask for. The database is the product's own embedded one, unless DATABASE_URL names a server."""

from __future__ import annotations

import re
from collections.abc import Iterator

import psutil
import psycopg
import pytest
from django.conf import settings
from django.core.cache import cache
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from psycopg import sql

from tokonomics import embedded

pytest_plugins = ["tests.people"]

# A machine that is busy must fail no test.
hypothesis_settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
hypothesis_settings.load_profile("untimed")


@pytest.fixture(scope="session")
def engines() -> Iterator[None]:
    """PostgreSQL while any process of this test run needs it; each process has a database of its own in it."""
    if not settings.EMBEDDED_DATABASE:
        yield
        return
    postgres = embedded.Postgres(settings.DATA_DIR, durable=False)
    with embedded.engines([postgres]):
        _drop_leftovers(str(postgres.sockets))
        yield


def _drop_leftovers(host: str) -> None:
    """Drop the test databases of runs whose first process is gone."""
    with psycopg.connect(host=host, user="tokonomics", dbname="postgres", autocommit=True) as connection:
        for (name,) in connection.execute("SELECT datname FROM pg_database WHERE datname ~ '^test_[0-9]+'").fetchall():
            if not psutil.pid_exists(int(re.findall(r"\d+", name)[0])):
                connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture(scope="session")
def django_db_modify_db_settings(engines: None, django_db_modify_db_settings_parallel_suffix: None) -> None:
    """Have the server up before a test database is made in it."""


@pytest.fixture(autouse=True)
def _fresh_cache() -> Iterator[None]:
    """Let no test see what another one has cached, rate limits included."""
    yield
    cache.clear()
