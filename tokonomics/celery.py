"""Background work: the Celery app, which finds the `tasks.py` of each app and keeps their schedule."""

from __future__ import annotations

import logging
import os
from logging.config import dictConfig
from typing import Any

from celery import Celery
from celery.signals import setup_logging

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tokonomics.settings")

app = Celery("tokonomics")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.beat_schedule = {
    "take up re-pricing runs": {"task": "billing.tasks.sweep", "schedule": 60.0},
}
app.autodiscover_tasks()


@setup_logging.connect
def use_the_log_of_the_site(**_: Any) -> None:
    """Keep Celery from setting up a log of its own, which would not redact secrets."""
    from django.conf import settings

    dictConfig(settings.LOGGING)
    logging.captureWarnings(True)
