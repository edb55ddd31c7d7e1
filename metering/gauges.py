"""What an operator's Prometheus asks: the spool of this machine, and what capped calls need of the ledger."""

from __future__ import annotations

from pathlib import Path

from django.db import DatabaseError, connection
from prometheus_client import CollectorRegistry, Gauge, generate_latest

from metering.spooling import spooled_bytes

RESERVATIONS = "SELECT count(*), coalesce(sum(amount), 0) FROM reservation"
REFUSED = """
SELECT code, sum(calls) FROM daily_refusals WHERE day >= (now() AT TIME ZONE 'UTC')::date - 1 GROUP BY code
"""


def exposition(spool: Path, limit: int) -> bytes:
    """All figures in Prometheus' text format. `limit`: the bytes that the spool may hold. Without the ledger, fewer."""
    registry = CollectorRegistry()
    _gauge(
        registry, "spool_bytes", "Calls on this machine that are not in the ledger yet, and the segment in use."
    ).set(spooled_bytes(spool) if spool.is_dir() else 0)
    _gauge(registry, "spool_limit_bytes", "When the spool holds so much, calls are refused.").set(limit)
    up = _gauge(registry, "ledger_up", "Whether PostgreSQL answers: without it, calls under a cap are refused.")
    try:
        _ask_ledger(registry)
        up.set(1)
    except DatabaseError:
        up.set(0)
    return generate_latest(registry)


def _ask_ledger(registry: CollectorRegistry) -> None:
    with connection.cursor() as cursor:
        cursor.execute(RESERVATIONS)
        [(calls, amount)] = cursor.fetchall()
        cursor.execute(REFUSED)
        refused = cursor.fetchall()
    _gauge(registry, "reservations", "Running calls under a cap.").set(calls)
    _gauge(registry, "reserved_nano_usd", "What they may cost at most.").set(amount)
    by_code = _gauge(registry, "refused_calls", "Calls that were refused since yesterday began, by code.", "code")
    for code, number in refused:
        by_code.labels(code).set(number)


def _gauge(registry: CollectorRegistry, name: str, text: str, *labels: str) -> Gauge:
    return Gauge(f"tokonomics_{name}", text, labels, registry=registry)
