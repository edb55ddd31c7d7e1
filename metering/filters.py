"""Which events a page, a file or an answer of the API is about: read from an address, and written back into one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from metering import periods
from metering.periods import InvalidPeriod, Period
from metering.tags import KEY, LONGEST_VALUE

STATUSES = {
    "ok": "OK",
    "aborted": "Aborted",
    "provider_error": "Provider error",
    "not_dispatched": "Not dispatched",
}
ONLY = {"unpriced": "Unpriced", "estimated": "Estimated"}
TAG = "tag."
MOST_TAGS = 10
SINGLE = ("period", "from", "to", "client", "unattributed", "provider", "model", "key", "status", "only")


class InvalidFilter(ValueError):
    """Parameters that name no selection: `errors` says for each what to change."""

    def __init__(self, errors: dict[str, str]) -> None:
        super().__init__(" ".join(f"{name}: {message}" for name, message in errors.items()))
        self.errors = errors


@dataclass(frozen=True, slots=True)
class EventFilter:
    """A selection of events. Empty fields select all; `client` is None for all and empty for Unattributed.

    `tags` are (key, value) pairs: all keys must match, and of several values for one key any.
    """

    period: Period
    client: str | None = None
    provider: str = ""
    model: str = ""
    key: UUID | None = None
    status: str = ""
    only: str = ""
    tags: tuple[tuple[str, str], ...] = ()

    @property
    def narrowed(self) -> bool:
        """Whether anything but the period limits it."""
        return self != EventFilter(self.period)

    def query(self) -> str:
        """The same selection as the query of an address."""
        return urlencode([*self.period.query().items(), *self.limits()])

    def limits(self) -> list[tuple[str, str]]:
        """The parameters beside the period."""
        unattributed = "1" if self.client == "" else ""
        pairs = [
            ("client", self.client or ""),
            ("unattributed", unattributed),
            ("provider", self.provider),
            ("model", self.model),
            ("key", str(self.key) if self.key else ""),
            ("status", self.status),
            ("only", self.only),
        ]
        return [*(pair for pair in pairs if pair[1]), *((TAG + name, value) for name, value in self.tags)]

    def without(self, field: str, tag: tuple[str, str] | None = None) -> EventFilter:
        """The selection with one limit less: a field's, or one tag's."""
        if tag is not None:
            return replace(self, tags=tuple(pair for pair in self.tags if pair != tag))
        none: Any = None if field in ("client", "key") else ""
        return replace(self, **{field: none})


def read(parameters: Mapping[str, Sequence[str]], today: date) -> EventFilter:
    """The selection that an address names; parameters that are not ours are left alone (see `unknown`).

    Raises `InvalidFilter`, with all that is wrong at once.
    """
    errors = _malformed(parameters)
    given = {name: parameters[name][-1].strip() for name in SINGLE if parameters.get(name) and name not in errors}
    period = Period(today, today)
    try:
        period = periods.read(given, today)
    except InvalidPeriod as error:
        errors["period"] = str(error)
    key = _key(given.get("key", ""), errors)
    for name, known in (("status", STATUSES), ("only", ONLY)):
        if given.get(name) and given[name] not in known:
            errors[name] = f"Choose one of {', '.join(known)}."
    client = _client(given, errors)
    tags = _tags(parameters, errors)
    if errors:
        raise InvalidFilter(errors)
    names = {name: given.get(name, "") for name in ("provider", "model", "status", "only")}
    return EventFilter(period, client=client, key=key, tags=tags, **names)


def unknown(parameters: Mapping[str, Any], *also: str) -> list[str]:
    """The names that mean nothing to a selection, nor are among `also`."""
    return sorted(name for name in parameters if name not in (*SINGLE, *also) and not name.startswith(TAG))


def _malformed(parameters: Mapping[str, Sequence[str]]) -> dict[str, str]:
    errors = {}
    for name, values in parameters.items():
        if name not in SINGLE and not name.startswith(TAG):
            continue
        if name in SINGLE and len(values) > 1:
            errors[name] = "Give it once."
        elif any("\0" in value for value in values):
            errors[name] = "It holds a character that no name has."
        elif any(len(value) > LONGEST_VALUE for value in values):
            errors[name] = f"Use at most {LONGEST_VALUE} characters."
    return errors


def _client(given: Mapping[str, str], errors: dict[str, str]) -> str | None:
    unattributed = given.get("unattributed", "")
    if unattributed not in ("", "1", "true", "on"):
        errors["unattributed"] = "Give 1 or leave it out."
    if unattributed and given.get("client"):
        errors["client"] = "Choose a client or the unattributed calls, not both."
    return "" if unattributed else given.get("client") or None


def _key(text: str, errors: dict[str, str]) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError:
        errors["key"] = "Give a key's id, as the Keys page and the API show it."
        return None


def _tags(parameters: Mapping[str, Sequence[str]], errors: dict[str, str]) -> tuple[tuple[str, str], ...]:
    pairs: dict[tuple[str, str], None] = {}
    for name, values in parameters.items():
        if name.startswith(TAG) and name not in errors:
            if not KEY.fullmatch(name.removeprefix(TAG)):
                errors[name] = "A tag's name is a letter, then at most 63 letters, digits, dots, dashes or underscores."
            pairs |= dict.fromkeys((name.removeprefix(TAG), value) for value in values)
    if len(pairs) > MOST_TAGS:
        errors["tags"] = f"Filter by at most {MOST_TAGS} tags."
    return tuple(pairs)
