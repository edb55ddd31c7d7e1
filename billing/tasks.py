"""Background work of prices."""

from __future__ import annotations

import logging
from uuid import UUID

from celery import shared_task
from django.db import OperationalError

from billing import repricing_runs
from tokonomics.work import ask

STEPS = 200
"""Steps of a run in one task: what is left is another task's, so that none runs into its time limit."""

logger = logging.getLogger(__name__)


@shared_task
def go_on(run_id: str) -> None:
    """Take a re-pricing run on."""
    try:
        finished = repricing_runs.work(UUID(run_id), steps=STEPS)
    except OperationalError:
        raise  # the database is away: the sweep tries again
    except Exception:
        logger.exception("Re-pricing run %s failed", run_id)
        repricing_runs.fail(UUID(run_id), "It failed, and nothing more was changed. The log of the worker says why.")
        raise
    if not finished:
        ask(repricing_runs.TASK, run_id)


@shared_task
def sweep() -> None:
    """Take up runs whose worker was lost."""
    for run_id in repricing_runs.stale_runs():
        ask(repricing_runs.TASK, str(run_id))
