from __future__ import annotations

import pytest

from tests.factories import WorkspaceFactory
from tokonomics.models import Workspace


@pytest.fixture
def stranger(db: None) -> Workspace:
    """Another tenant, whose calls must never show."""
    return WorkspaceFactory.create(name="Southdark")
