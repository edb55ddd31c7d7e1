"""System checks: a setting that would hurt in operation is named before anything starts."""

from __future__ import annotations
