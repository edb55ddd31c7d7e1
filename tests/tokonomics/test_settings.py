"""What the settings become in an environment; each is read by a process of its own, as settings are read once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

PROGRAM = """
import json, sys
from tokonomics import settings
print(json.dumps({name: getattr(settings, name) for name in sys.argv[1:]}, default=str))
"""


def settings_of(data_dir: Path, *names: str, **environment: str) -> dict[str, Any]:
    """The named settings in an environment that holds nothing but what is given."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *names],
        cwd=Path(__file__).parents[2],
        env={"PATH": os.environ["PATH"], "DATA_DIR": str(data_dir)} | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_a_laptop_needs_no_variable(tmp_path: Path) -> None:
    found = settings_of(
        tmp_path, "PUBLIC_URL", "DATABASE_URL", "REDIS_URL", "CELERY_BROKER_URL", "EMAIL_BACKEND", "DEBUG"
    )
    run = str(tmp_path / "run")
    assert found["PUBLIC_URL"] == "http://127.0.0.1:8000"
    assert found["DATABASE_URL"].startswith("postgresql://tokonomics@/tokonomics?host=%2F")
    assert found["REDIS_URL"] == f"unix://{run}/redis.sock?db=0"
    assert found["CELERY_BROKER_URL"] == f"redis+socket://{run}/redis.sock?virtual_host=0"
    assert found["EMAIL_BACKEND"] == "django.core.mail.backends.console.EmailBackend"
    assert found["DEBUG"] is False


def test_secrets_are_made_once_and_kept(tmp_path: Path) -> None:
    first = settings_of(tmp_path, "SECRET_KEY", "ENCRYPTION_KEYS")
    assert settings_of(tmp_path, "SECRET_KEY", "ENCRYPTION_KEYS") == first
    assert len(first["SECRET_KEY"]) >= 50
    assert settings_of(tmp_path / "other", "SECRET_KEY") != {"SECRET_KEY": first["SECRET_KEY"]}


def test_given_secrets_are_used(tmp_path: Path) -> None:
    found = settings_of(tmp_path, "SECRET_KEY", "ENCRYPTION_KEYS", SECRET_KEY="given", ENCRYPTION_KEYS="new=, old=")
    assert found == {"SECRET_KEY": "given", "ENCRYPTION_KEYS": ["new=", "old="]}
    assert not (tmp_path / "secrets").exists()


@pytest.mark.parametrize(
    ("environment", "allowed"),
    [
        ({}, True),
        ({"DATABASE_URL": "postgresql://ann@db/meter"}, False),
        ({"DATABASE_URL": "postgresql://ann@db/meter", "TOKONOMICS_ALLOW_PRIVATE_ADDRESSES": "1"}, True),
        ({"TOKONOMICS_ALLOW_PRIVATE_ADDRESSES": "0"}, False),
    ],
)
def test_private_addresses_are_for_laptops(tmp_path: Path, environment: dict[str, str], allowed: bool) -> None:
    found = settings_of(tmp_path, "ALLOW_PRIVATE_ADDRESSES", **environment)
    assert found == {"ALLOW_PRIVATE_ADDRESSES": allowed}


def test_https_turns_on_what_needs_it(tmp_path: Path) -> None:
    names = (
        "SESSION_COOKIE_SECURE",
        "CSRF_COOKIE_SECURE",
        "SECURE_HSTS_SECONDS",
        "ALLOWED_HOSTS",
        "CSRF_TRUSTED_ORIGINS",
    )
    found = settings_of(tmp_path, *names, PUBLIC_URL="https://meter.example.com/")
    assert found["SESSION_COOKIE_SECURE"] is found["CSRF_COOKIE_SECURE"] is True
    assert found["SECURE_HSTS_SECONDS"] == 31536000
    assert "meter.example.com" in found["ALLOWED_HOSTS"]
    assert found["CSRF_TRUSTED_ORIGINS"] == ["https://meter.example.com"]


def test_plain_http_promises_nothing(tmp_path: Path) -> None:
    found = settings_of(tmp_path, "SESSION_COOKIE_SECURE", "SECURE_HSTS_SECONDS")
    assert found == {"SESSION_COOKIE_SECURE": False, "SECURE_HSTS_SECONDS": 0}


def test_proxies_in_front_are_counted_beside_the_gateway(tmp_path: Path) -> None:
    names = ("TRUST_FORWARDED", "ALLAUTH_TRUSTED_PROXY_COUNT")
    assert settings_of(tmp_path, *names) == {"TRUST_FORWARDED": False, "ALLAUTH_TRUSTED_PROXY_COUNT": 1}
    found = settings_of(tmp_path, *names, TRUSTED_PROXY_COUNT="2")
    assert found == {"TRUST_FORWARDED": True, "ALLAUTH_TRUSTED_PROXY_COUNT": 3}


@pytest.mark.django_db
def test_a_page_tells_browsers_to_run_nothing_inline(client: Client) -> None:
    headers = client.get("/accounts/login/").headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"


@pytest.mark.django_db
def test_the_admin_is_off(client: Client) -> None:
    assert client.get("/admin/").status_code == 404
