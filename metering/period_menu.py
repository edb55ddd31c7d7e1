"""The period menu that reports share: presets as links, chosen days as a small form, the rest of the address kept."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any
from urllib.parse import urlencode

from metering import periods
from metering.periods import PRESETS, Period
from tokonomics.models import Workspace


def period_menu(workspace: Workspace, period: Period, today: date, kept: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """What `ui/period.html` shows; `kept` are the address's other parameters."""
    return {
        "choices": [
            {
                "label": label,
                "href": f"?{urlencode([*periods.preset(name, today).query().items(), *kept])}",
                "current": period.preset == name,
                "narrow": name in ("month", "last-month"),
            }
            for name, label in PRESETS.items()
        ],
        "label": f"{periods.label(period, today)}, {periods.zone_label(workspace.timezone)}",
        "zone": workspace.timezone,
        "first": period.first,
        "last": period.last,
        "kept": kept,
    }
