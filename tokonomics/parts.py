"""The processes that make up a running product: their command lines, and how to tell that they serve."""

from __future__ import annotations

import http.client
import socket
import sys
from contextlib import closing

from django.conf import settings

from tokonomics import embedded
from tokonomics.processes import Part


def engine(chosen: embedded.Engine) -> Part:
    """An embedded engine, or a stand-by for one that some other process has started."""
    command = tuple(embedded.command_of(chosen, wait=True))
    return Part(chosen.name, command, stop_signal=chosen.stop_signal, stop_seconds=60, outlives=True)


def _manage(*words: str) -> tuple[str, ...]:
    return (sys.executable, str(settings.BASE_DIR / "manage.py"), *words)


def gateway(workers: int) -> Part:
    """The front door, which lets running calls end before it does."""
    command = _manage("gateway", "--workers", str(workers))
    return Part("gateway", command, stop_seconds=settings.GATEWAY_SHUTDOWN_DRAIN + 10)


def recorder() -> Part:
    """Ships the gateway's spool to the database."""
    return Part("recorder", _manage("recorder"), stop_seconds=30)


def site() -> Part:
    """Pages and API, on a socket that only the gateway of this machine reaches."""
    options = {
        "--bind": f"unix:{settings.SITE_SOCKET}",
        "--worker-class": "gthread",
        "--workers": str(settings.SITE_WORKERS),
        "--threads": "8",
        "--timeout": "120",
        "--graceful-timeout": "20",
        "--keep-alive": "75",
        "--umask": "0o077",
        "--log-level": "warning",
        "--chdir": str(settings.BASE_DIR),
    }
    words = [word for option in options.items() for word in option]
    command = (sys.executable, "-m", "gunicorn", *words, "--no-control-socket", "tokonomics.wsgi")
    return Part("site", command, stop_seconds=30)


def _celery(*words: str) -> tuple[str, ...]:
    quiet = "ignore:You're running the worker with superuser privileges"
    return (
        sys.executable,
        "-W",
        quiet,
        "-m",
        "celery",
        "--app=tokonomics",
        "--quiet",
        f"--workdir={settings.BASE_DIR}",
        *words,
    )


def worker() -> Part:
    """Sends and computes in the background."""
    command = _celery("worker", "--concurrency=2", "--loglevel=INFO", "--without-gossip", "--without-mingle")
    return Part("worker", command, stop_seconds=30)


def beat() -> Part:
    """Says when background work is due."""
    return Part("beat", _celery("beat", f"--schedule={settings.DATA_DIR / 'log' / 'beat'}", "--pidfile="))


def site_answers() -> bool:
    """Whether the site takes connections."""
    try:
        with closing(socket.socket(socket.AF_UNIX)) as connection:
            connection.connect(str(settings.SITE_SOCKET))
    except OSError:
        return False
    return True


def gateway_is_healthy() -> bool:
    """Whether the gateway says that calls can be served."""
    host = "127.0.0.1" if settings.HOST in ("", "0.0.0.0") else settings.HOST  # noqa: S104 - compared, not bound
    try:
        with closing(http.client.HTTPConnection(host, settings.PORT, timeout=2)) as client:
            client.request("GET", "/healthz")
            return client.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
