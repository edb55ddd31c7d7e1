from __future__ import annotations

import pytest

from tokonomics.models import Workspace


@pytest.fixture
def workspace(db: None) -> Workspace:
    return Workspace.objects.create(name="Northlight Studio", timezone="America/Toronto")


@pytest.fixture
def stranger(db: None) -> Workspace:
    """Another tenant, whose calls must never show."""
    return Workspace.objects.create(name="Southdark", timezone="America/Toronto")
