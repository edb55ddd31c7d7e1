"""The time of a workspace: its zone, its now and its today."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

from django.utils import timezone

from tokonomics.models import Workspace


def zone(workspace: Workspace) -> ZoneInfo:
    """The time zone that cuts its days."""
    return ZoneInfo(workspace.timezone)


def now(workspace: Workspace) -> datetime:
    """This instant, on its clock."""
    return timezone.now().astimezone(zone(workspace))


def today(workspace: Workspace) -> date:
    """The day it has."""
    return now(workspace).date()
