from __future__ import annotations

from typing import Any

import pytest
from django.core.checks import run_checks
from django.test import override_settings

from tokonomics.checks import check_settings

PRODUCTION: dict[str, Any] = {
    "EMBEDDED_DATABASE": False,
    "PUBLIC_URL": "https://meter.example.com",
    "SECURE": True,
    "EMAIL_URL": "smtp://mail.example.com:25",
    "DEBUG": False,
}


@pytest.fixture(autouse=True)
def _secrets_are_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", "x" * 50)
    monkeypatch.setenv("ENCRYPTION_KEYS", "x" * 43 + "=")


def found() -> list[str]:
    return [str(message.id) for message in check_settings()]


def test_a_laptop_has_nothing_to_be_told() -> None:
    with override_settings(EMBEDDED_DATABASE=True, EMAIL_URL="", DEBUG=True):
        assert found() == []


def test_a_whole_production_has_nothing_to_be_told() -> None:
    with override_settings(**PRODUCTION):
        assert found() == []


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"ENCRYPTION_KEYS": ["short"]}, "tokonomics.E001"),
        ({"PUBLIC_URL": "meter.example.com"}, "tokonomics.E002"),
        ({"PUBLIC_URL": "https://meter.example.com/app"}, "tokonomics.E002"),
        ({"REDIS_URL": "localhost:6379"}, "tokonomics.E003"),
        ({"SITE_SOCKET": "/srv/" + "x" * 100}, "tokonomics.E004"),
        ({"PUBLIC_URL": "http://meter.example.com", "SECURE": False}, "tokonomics.W002"),
        ({"EMAIL_URL": ""}, "tokonomics.W003"),
        ({"DEBUG": True}, "tokonomics.W004"),
    ],
)
def test_each_wrong_setting_has_a_code(wrong: dict[str, Any], code: str) -> None:
    with override_settings(**PRODUCTION | wrong):
        assert found() == [code]


@pytest.mark.parametrize("missing", ["SECRET_KEY", "ENCRYPTION_KEYS"])
def test_secrets_left_to_one_machine_are_named(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(missing)
    with override_settings(**PRODUCTION):
        (warning,) = check_settings()
    assert warning.id == "tokonomics.W001"
    assert missing in warning.msg


def test_a_bad_encryption_key_is_not_repeated() -> None:
    with override_settings(ENCRYPTION_KEYS=["not-a-key-but-a-secret"]):
        assert "not-a-key" not in str(check_settings())


def test_http_on_the_machine_itself_is_fine() -> None:
    for url in ("http://127.0.0.1:8000", "http://localhost:8000", "http://[::1]:8000"):
        with override_settings(**PRODUCTION | {"PUBLIC_URL": url, "SECURE": False}):
            assert found() == []


def test_django_runs_them() -> None:
    with override_settings(ENCRYPTION_KEYS=["short"]):
        assert "tokonomics.E001" in [message.id for message in run_checks()]
