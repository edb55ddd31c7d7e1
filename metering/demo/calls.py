"""The calls of the demo: months of them, as the gateway would have written them to its spool. Pure."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Iterator
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import uuid_utils

from billing.catalogue import Catalogue, charge_reading
from metering.demo.cast import Customer, Work
from metering.providers import PROVIDERS
from metering.usage import Reading, Usage

SEED = 20
WEEKEND = 0.22
"""Of a working day's calls."""
HOURS = (1, 1, 1, 1, 1, 2, 4, 9, 16, 20, 22, 21, 17, 19, 22, 21, 18, 12, 8, 6, 5, 4, 3, 2)
"""How many calls fall into each hour of a day, by the agency's clock."""
ENVIRONMENTS = ("production",) * 8 + ("staging", "development")
REFUSALS = ("budget_exhausted", "rate_limited", "invalid_tags")


class Caller(NamedTuple):
    """Whose calls, with which key; the names that are kept on each event."""

    workspace: str
    customer: Customer
    client: str
    key: str
    key_name: str
    credentials: dict[str, str]
    """The account's id by provider."""


class Calls:
    """Makes calls at random, the same at every run for the same days."""

    def __init__(self, catalogue: Catalogue, zone: ZoneInfo) -> None:
        self.catalogue = catalogue
        self.zone = zone
        self.random = random.Random(SEED)  # noqa: S311 -- makes calls up, guards nothing

    def of(self, caller: Caller, first: dt.date, until: dt.datetime) -> Iterator[dict[str, Any]]:
        """The results of a caller's calls from the day `first` to the moment `until` (aware), in the order of time."""
        day, growth = first, float(caller.customer.growth)
        while day <= until.astimezone(self.zone).date():
            months = (day.year - first.year) * 12 + day.month - first.month
            busy = caller.customer.calls * growth**months * (WEEKEND if day.weekday() >= 5 else 1)
            count = round(busy * self.random.uniform(0.8, 1.2))
            for moment in sorted(self._moment(day) for _ in range(count)):
                if moment < until:
                    yield self._call(caller, moment)
            day += dt.timedelta(days=1)

    def _moment(self, day: dt.date) -> dt.datetime:
        (hour,) = self.random.choices(range(24), HOURS)
        seconds = self.random.randrange(3600)
        at = dt.datetime.combine(day, dt.time(hour), self.zone) + dt.timedelta(seconds=seconds)
        return at.astimezone(dt.UTC) + dt.timedelta(microseconds=self.random.randrange(1_000_000))

    def _call(self, caller: Caller, moment: dt.datetime) -> dict[str, Any]:
        works = caller.customer.works
        (work,) = self.random.choices(works, [work.share for work in works])
        status = self.random.choices(("ok", "provider_error", "aborted"), (980, 13, 7))[0]
        at = int(moment.timestamp() * 1e6)
        tags = {"project": work.project, "feature": work.feature, "env": self.random.choice(ENVIRONMENTS)}
        if caller.client:
            tags = {"client": caller.client} | tags
        record = {
            "kind": "result",
            "id": str(uuid_utils.uuid7(nanoseconds=at * 1000)),
            "at": at,
            "workspace": caller.workspace,
            "day": moment.astimezone(self.zone).date().isoformat(),
            "client": caller.client,
            "key": caller.key,
            "key_name": caller.key_name,
            "credential": caller.credentials[work.provider],
            "provider": work.provider,
            "endpoint": _endpoint(work),
            "tags": tags,
            "test": False,
            "model": work.model,
            "requested_model": work.model,
            "status": status,
            "source": "proxy",
        }
        return record | self._outcome(work, status, moment)

    def _outcome(self, work: Work, status: str, moment: dt.datetime) -> dict[str, Any]:
        """What a call used, cost and took."""
        failed = status == "provider_error"
        usage = Usage() if failed else self._usage(work)
        charge = None if failed else self._charge(work, usage, moment)
        first = self.random.randrange(180, 900)
        return {
            "http_status": 503 if failed else 200,
            "estimated": status == "aborted",
            "stream": work.tokens_out > 200,
            "usage": usage.counts(),
            "cost": 0 if failed else charge and charge.cost,
            "cost_source": "free" if failed else charge.source if charge else "",
            "price_version": charge.version if charge else "",
            "lines": charge.texts() if charge else [],
            "provider_cost": None,
            "latency_ms": first + usage.output_tokens * self.random.randrange(6, 14),
            "first_byte_ms": first,
            "flags": [],
        }

    def _usage(self, work: Work) -> Usage:
        told = self._about(work.tokens_in)
        made = self._about(work.tokens_out)
        cached = int(told * work.cached) if self.random.random() < 0.7 else 0
        reasoning = made * 2 // 3 if work.model.startswith("o") else 0
        return Usage(input_tokens=told, output_tokens=made, cache_read_tokens=cached, reasoning_tokens=reasoning)

    def _about(self, tokens: int) -> int:
        return round(tokens * self.random.lognormvariate(0, 0.5)) if tokens else 0

    def _charge(self, work: Work, usage: Usage, moment: dt.datetime) -> Any:
        reading = Reading(usage, model=work.model)
        return charge_reading(self.catalogue, PROVIDERS[work.provider].catalogue, reading, work.model, moment)

    def refusals(self, caller: Caller, until: dt.datetime) -> dict[str, Any]:
        """What was refused in the last days."""
        today = until.astimezone(self.zone).date()
        days = [(today - dt.timedelta(days=ago)).isoformat() for ago in range(3)]
        keys = [[caller.workspace, day, caller.client, caller.key, code] for day in days for code in REFUSALS[:2]]
        return {"kind": "refusals", "counts": [[*key, self.random.randrange(2, 40)] for key in keys]}


def _endpoint(work: Work) -> str:
    if not work.tokens_out:
        return "embeddings"
    return {"anthropic": "messages", "google": "generateContent"}.get(work.provider, "chat.completions")
