"""What a key may do: how many requests and tokens a minute, which models, at which providers."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction

from metering.credentials import SANDBOX, in_use
from metering.models import ApiKey
from tokonomics import audit
from tokonomics.audit import Actor
from tokonomics.models import Workspace

PATTERN_LENGTH = 256
MOST_PATTERNS = 100
MOST_A_MINUTE = 2**31 - 1
PATTERN = re.compile(r"[\w.:/@+*~#=-]+", re.ASCII)
"""A model's name, with * for any characters."""


@dataclass(frozen=True, slots=True)
class Limits:
    """None, and an empty list, limit nothing. Models are patterns with *, providers are route slugs."""

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    allowed_models: tuple[str, ...] = ()
    allowed_providers: tuple[str, ...] = ()

    def fields(self) -> dict[str, Any]:
        """As the columns of a key."""
        facts = asdict(self)
        return facts | {name: list(value) for name, value in facts.items() if isinstance(value, tuple)}


UNLIMITED = Limits()


def limits_of(key: ApiKey) -> Limits:
    """What holds for a key now."""
    return Limits(
        key.requests_per_minute, key.tokens_per_minute, tuple(key.allowed_models), tuple(key.allowed_providers)
    )


def usable_slugs(workspace: Workspace, *also: str) -> list[str]:
    """The routes that a key can be limited to: the connected ones, the sandbox, and `also`."""
    connected = in_use(workspace).order_by("slug").values_list("slug", flat=True).distinct()
    return sorted({*connected, SANDBOX, *also})


def clean_limits(limits: Limits, workspace: Workspace, *also: str) -> Limits:
    """The limits without repeated entries; raises ValidationError, by field, for those that no call could meet.

    `also` are slugs that may stay though they are no longer connected.
    """
    errors: dict[str, str] = {}
    for name in ("requests_per_minute", "tokens_per_minute"):
        number = getattr(limits, name)
        if number is not None and not 0 < number <= MOST_A_MINUTE:
            errors[name] = "Give a number above zero, or leave it empty for no limit."
    models = tuple(dict.fromkeys(pattern.strip() for pattern in limits.allowed_models if pattern.strip()))
    problem = _wrong_pattern(models)
    if problem:
        errors["allowed_models"] = problem
    slugs = tuple(dict.fromkeys(limits.allowed_providers))
    unknown = sorted(set(slugs) - set(usable_slugs(workspace, *also)))
    if unknown:
        errors["allowed_providers"] = f"{', '.join(unknown)} is not connected."
    if errors:
        raise ValidationError(errors)
    return Limits(limits.requests_per_minute, limits.tokens_per_minute, models, slugs)


@transaction.atomic
def limit_key(*, key: ApiKey, limits: Limits, actor: Actor) -> None:
    """Set all limits of a key anew; calls meet them within a second. Raises ValidationError, by field."""
    before = limits_of(key)
    after = clean_limits(limits, key.workspace, *before.allowed_providers)
    if before != after:
        old, new = before.fields(), after.fields()
        changes = {name: audit.change(_told(old[name]), _told(new[name])) for name in new if old[name] != new[name]}
        for name, value in new.items():
            setattr(key, name, value)
        key.save(update_fields=list(new))
        audit.record("limited", key, workspace=key.workspace, actor=actor, **changes)


def _wrong_pattern(patterns: Iterable[str]) -> str:
    """What is wrong with the first pattern that is none; empty: nothing."""
    found = list(patterns)
    if len(found) > MOST_PATTERNS:
        return f"List at most {MOST_PATTERNS} patterns; these are {len(found)}."
    for pattern in found:
        if len(pattern) > PATTERN_LENGTH or not PATTERN.fullmatch(pattern):
            shown = pattern if len(pattern) <= 60 else f"{pattern[:60]}…"
            return f"“{shown}” is not a model’s name: write one a line, with * for any characters, such as gpt-4.1*."
    return ""


def _told(value: Any) -> Any:
    """As the audit log shows it."""
    return ", ".join(value) if isinstance(value, list) else value
