"""Asks a worker to do something, by the name of its task: whoever asks need not know the task, nor wait for it."""

from __future__ import annotations

import logging
from functools import cache

from celery import Celery
from django.conf import settings
from django.db import transaction
from kombu.exceptions import OperationalError

logger = logging.getLogger(__name__)


def ask(task: str, *values: str) -> None:
    """Send a task with these values once the transaction commits.

    Where no broker can be reached it is only logged: whatever matters is found again by a task of the schedule.
    """

    def send() -> None:
        try:
            _sender().send_task(task, values, retry=False)
        except OperationalError:
            logger.warning("No worker could be asked for %s: the broker cannot be reached", task)

    transaction.on_commit(send)


@cache
def _sender() -> Celery:
    return Celery("tokonomics", broker=settings.CELERY_BROKER_URL, set_as_current=False)
