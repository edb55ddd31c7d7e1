from __future__ import annotations

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import pytest

from tokonomics.environment import (
    InvalidSetting,
    database_settings,
    email_settings,
    envbool,
    envchoice,
    envint,
    envlist,
    envsecret,
    kept_secret,
    socket_directory,
)


@pytest.mark.parametrize(
    ("text", "value"), [("1", True), ("Yes", True), ("on", True), ("0", False), ("false", False), ("", False)]
)
def test_a_switch_is_read_in_any_spelling(text: str, value: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWITCH", text)
    assert envbool("SWITCH", not value) is value


def test_a_switch_that_is_neither_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWITCH", "perhaps")
    with pytest.raises(InvalidSetting, match="SWITCH is 'perhaps': set it to 1 or 0"):
        envbool("SWITCH", True)


def test_an_unset_variable_has_its_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("UNSET", raising=False)
    assert (envbool("UNSET", True), envint("UNSET", 7), envlist("UNSET"), envsecret("UNSET")) == (True, 7, [], "")


@pytest.mark.parametrize("text", ["0", "65536", "-1", "8000.0", "80a", "٨٠", "1_000"])
def test_a_number_out_of_bounds_or_none_at_all_is_named(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", text)
    with pytest.raises(InvalidSetting, match="PORT is .*: set it to a whole number from 1 to 65535"):
        envint("PORT", 8000, 1, 65535)


def test_a_choice_is_read_in_any_case_and_others_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOG_LEVEL", "Debug")
    assert envchoice("LOG_LEVEL", "info", ("debug", "info")) == "debug"
    monkeypatch.setenv("LOG_LEVEL", "loud")
    with pytest.raises(InvalidSetting, match="one of debug, info"):
        envchoice("LOG_LEVEL", "info", ("debug", "info"))


def test_a_secret_may_stand_in_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "key").write_text("from the file\n")
    monkeypatch.setenv("SECRET_FILE", str(tmp_path / "key"))
    assert envsecret("SECRET") == "from the file"


def test_a_secret_file_that_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_FILE", str(tmp_path / "missing"))
    with pytest.raises(InvalidSetting, match="SECRET_FILE is '.*missing', which cannot be read"):
        envsecret("SECRET")


def test_a_kept_secret_is_one_for_all_who_race_to_make_it(tmp_path: Path) -> None:
    path = tmp_path / "secrets" / "key"
    with ThreadPoolExecutor(16) as pool:
        found = set(pool.map(lambda _: kept_secret(path, lambda: uuid4().hex), range(64)))
    assert found == {path.read_text().strip()}
    assert [entry.name for entry in path.parent.iterdir()] == ["key"]


def test_a_kept_secret_is_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "secrets" / "key"
    kept_secret(path, lambda: "made once")
    assert kept_secret(path, lambda: "made twice") == "made once"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_data_dir_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    with pytest.raises(InvalidSetting, match="set DATA_DIR to a folder"):
        kept_secret(tmp_path / "data" / "secrets" / "key", lambda: "x")


def test_sockets_live_below_a_short_data_dir() -> None:
    assert socket_directory(Path("/srv/meter")) == Path("/srv/meter/run")


def test_sockets_of_a_long_data_dir_have_a_short_folder_of_their_own() -> None:
    one, other = socket_directory(Path("/srv") / ("x" * 100)), socket_directory(Path("/srv") / ("y" * 100))
    assert one != other
    assert len(os.fsencode(one / "postgres" / ".s.PGSQL.5432.lock")) <= 100


def test_a_database_url_becomes_the_keys_of_django() -> None:
    found = database_settings("postgresql://ann:p%40ss@db.example:5433/meter?sslmode=require")
    assert found == {
        "NAME": "meter",
        "USER": "ann",
        "PASSWORD": "p@ss",
        "HOST": "db.example",
        "PORT": "5433",
        "OPTIONS": {"sslmode": "require"},
    }


def test_a_database_url_may_name_a_socket() -> None:
    assert database_settings("postgresql://ann@/meter?host=%2Fsrv%2Frun%20x")["HOST"] == "/srv/run x"


@pytest.mark.parametrize("url", ["mysql://a/b", "postgresql://ann@db", "postgresql://a/b?nonsense=1", "db.sqlite3"])
def test_a_database_url_that_is_none_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(InvalidSetting, match="DATABASE_URL"):
        database_settings(url)


def test_without_an_email_url_mail_is_printed() -> None:
    assert email_settings("") == {"EMAIL_BACKEND": "django.core.mail.backends.console.EmailBackend"}


@pytest.mark.parametrize(
    ("url", "port", "starttls", "tls"),
    [
        ("smtp://mail.example:2525", 2525, False, False),
        ("smtp://mail.example", 25, False, False),
        ("smtp+tls://mail.example", 587, True, False),
        ("smtps://mail.example", 465, False, True),
    ],
)
def test_an_email_url_says_how_mail_is_sent(url: str, port: int, starttls: bool, tls: bool) -> None:
    found = email_settings(url)
    assert (found["EMAIL_HOST"], found["EMAIL_PORT"]) == ("mail.example", port)
    assert (found["EMAIL_USE_TLS"], found["EMAIL_USE_SSL"]) == (starttls, tls)


def test_an_email_url_may_hold_a_user_and_a_sender() -> None:
    found = email_settings("smtp://me%40x:p%2Fw@mail.example:25?from=Meter%20%3Cmeter@x.example%3E")
    assert (found["EMAIL_HOST_USER"], found["EMAIL_HOST_PASSWORD"]) == ("me@x", "p/w")
    assert found["DEFAULT_FROM_EMAIL"] == "Meter <meter@x.example>"


@pytest.mark.parametrize("url", ["http://mail.example", "smtp://", "smtp://mail:port", "mail.example:25"])
def test_an_email_url_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(InvalidSetting, match="EMAIL_URL"):
        email_settings(url)
