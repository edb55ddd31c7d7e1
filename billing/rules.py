"""What a workspace, or the operator for all of them, has laid down about prices: own prices, discounts and aliases.

A rule holds for a provider, for a model by its name or a pattern with *, in some or all service tiers, and for a time.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from billing.cards import END

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from billing.cards import Context

PRICE, DISCOUNT, ALIAS = "price", "discount", "alias"

STANDARD = "standard"
TIERS: dict[tuple[str, str], str] = {
    ("processing", "batch"): "batch",
    ("service_tier", "flex"): "flex",
    ("service_tier", "priority"): "priority",
    ("service_tier", "fast"): "priority",
    ("speed", "fast"): "fast",
}
"""What a context may hold → the service tier that a rule names; OpenAI has two names for one tier."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of the price book. `starts` ≤ moment < `ends`.

    `prices` are those of a price rule, by price key (`input_mtok`), USD for the key's unit; `percent` is a discount's,
    below zero for a surcharge; `to_provider` and `to_model` are what an alias is priced as. An empty provider or model
    is every one (discounts only); an empty tier is every tier.
    """

    id: str
    workspace: str
    """Empty: the rule holds for every workspace."""
    kind: str
    provider: str
    model: str
    starts: datetime
    ends: datetime = END
    tier: str = ""
    prices: tuple[tuple[str, Decimal], ...] = ()
    percent: Decimal = Decimal(0)
    to_provider: str = ""
    to_model: str = ""

    def holds(self, moment: datetime) -> bool:
        """Whether the rule is in force."""
        return self.starts <= moment < self.ends

    def closeness(self, provider: str, names: Sequence[str]) -> tuple[int, int] | None:
        """How closely the rule names a model, to be compared; None: it is for another one.

        `names` are what the model is known by, in lower case, first the name that was asked for.
        """
        if self.provider not in ("", provider):
            return None
        if not self.model:
            return (0, len(self.provider))
        wanted = self.model.lower()
        if wanted in names:
            return (3 if wanted == names[0] else 2, len(wanted))
        if "*" in wanted and any(fnmatchcase(name, _literal(wanted)) for name in names):
            return (1, len(wanted))
        return None

    def names(self, model: str) -> bool:
        """Whether the rule is for exactly this name."""
        return self.model.lower() == model.lower()


class Rules:
    """The rules of one workspace, or of all, by kind and provider."""

    def __init__(self, rules: Iterable[Rule] = ()) -> None:
        self.all = tuple(rules)
        self._by_place: dict[tuple[str, str], list[Rule]] = defaultdict(list)
        for rule in self.all:
            self._by_place[rule.kind, rule.provider].append(rule)

    def __bool__(self) -> bool:
        return bool(self.all)

    def of(self, kind: str, provider: str) -> list[Rule]:
        """The rules of a kind that may concern a provider."""
        return self._by_place.get((kind, provider), []) + self._by_place.get((kind, ""), [])

    def turns(self, provider: str) -> Iterator[datetime]:
        """The moments at which what holds for a provider changes."""
        for kind in (PRICE, DISCOUNT, ALIAS):
            for rule in self.of(kind, provider):
                yield rule.starts
                yield rule.ends

    def in_force(
        self, kind: str, provider: str, names: Sequence[str], moment: datetime, context: Context
    ) -> list[Rule]:
        """The rules that hold for a model, the closest last.

        Of several with the same name and tier only the one that started last holds, until it ends.
        """
        tiers = tiers_of(context)
        latest: dict[tuple[str, str, str], Rule] = {}
        ranks: dict[tuple[str, str, str], tuple[tuple[int, int], bool]] = {}
        for rule in self.of(kind, provider):
            close = rule.closeness(provider, names) if rule.holds(moment) else None
            if close is None or (rule.tier and rule.tier not in tiers):
                continue
            place = (rule.provider, rule.model.lower(), rule.tier)
            other = latest.get(place)
            if other is None or (rule.starts, rule.id) > (other.starts, other.id):
                latest[place] = rule
                ranks[place] = (close, bool(rule.tier))
        return [latest[place] for place in sorted(latest, key=lambda place: (ranks[place], place))]


def tiers_of(context: Context) -> frozenset[str]:
    """The service tiers that a context is in; a context that names none that we know is the standard one."""
    return frozenset(TIERS[pair] for pair in context if pair in TIERS) or frozenset({STANDARD})


def _literal(pattern: str) -> str:
    """A pattern in which * alone is special, as fnmatch writes it."""
    return pattern.replace("[", "[[]").replace("?", "[?]")
