from __future__ import annotations

import logging
from pathlib import Path

import pytest
from django.core.cache import caches
from django.test import Client
from pytest_django import Settings

from tests.factories import PASSWORD, UserFactory
from tests.upstreams.redis import RedisServer

AWAY = {
    "default": {
        "BACKEND": "tokonomics.cache.ForgivingRedisCache",
        "LOCATION": "redis://127.0.0.1:1/0",
        "OPTIONS": {"socket_connect_timeout": 1},
    }
}


@pytest.fixture
def _redis_away(settings: Settings) -> None:
    settings.CACHES = AWAY


@pytest.mark.usefixtures("_redis_away")
def test_a_cache_that_is_away_remembers_nothing_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    cache = caches["default"]
    with caplog.at_level(logging.WARNING, "tokonomics.cache"):
        cache.set("key", 1)
        assert cache.get("key", "default") == "default"
        assert cache.add("key", 1) is True
        assert cache.delete("key") is False
    assert caplog.messages == ["Redis does not answer: rate limits of log-ins are off until it does."] * 4


@pytest.mark.django_db
@pytest.mark.usefixtures("_redis_away")
def test_one_can_log_in_while_redis_is_away(client: Client) -> None:
    UserFactory.create(email="ada@example.com", password=PASSWORD)
    response = client.post("/accounts/login/", {"login": "ada@example.com", "password": PASSWORD})
    assert response.status_code == 302


@pytest.mark.django_db
def test_guesses_from_one_address_are_counted_in_redis(client: Client, settings: Settings, tmp_path: Path) -> None:
    UserFactory.create(email="ada@example.com", password=PASSWORD)
    server = RedisServer(tmp_path)
    settings.CACHES = {"default": {"BACKEND": "tokonomics.cache.ForgivingRedisCache", "LOCATION": server.url}}
    try:
        for number in range(10):
            client.post("/accounts/login/", {"login": f"user{number}@example.com", "password": "wrong"})
        refused = Client().post("/accounts/login/", {"login": "ada@example.com", "password": PASSWORD})
        with server.client() as redis:
            redis.flushall()
        allowed = Client().post("/accounts/login/", {"login": "ada@example.com", "password": PASSWORD})
    finally:
        caches["default"].close()
        server.kill()
    assert b"Too many wrong passwords" in refused.content
    assert allowed.status_code == 302
