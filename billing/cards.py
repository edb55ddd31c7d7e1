"""What prices a call: something that is asked for a model and remembers the answer as a rate card."""

from __future__ import annotations

from abc import ABC, abstractmethod
from datetime import UTC, datetime
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from billing.pricing import RateCard

Context = tuple[tuple[str, str], ...]
"""What beside the model decides a price: `(("service_tier", "flex"),)`, `(("speed", "fast"),)`."""

Asked = tuple[str, tuple[str, ...], Context]

REMEMBERED = 4096

BEGINNING = datetime.min.replace(tzinfo=UTC)
END = datetime.max.replace(tzinfo=UTC)


class Remembered(NamedTuple):
    """A card, or None for an unknown model, and the time in which that answer holds: `since` ≤ moment < `until`."""

    since: datetime
    until: datetime
    card: RateCard | None


class RateCards(ABC):
    """Rate cards by provider, model, moment and context. Bounded, and safe to share between threads."""

    def __init__(self, remembered: int = REMEMBERED) -> None:
        self._remembered: dict[Asked, Remembered] = {}
        self._room = remembered
        self._lock = Lock()

    def rate_card(self, provider: str, model: str, moment: datetime, context: Context = ()) -> RateCard | None:
        """The prices at a moment (aware), or None where there are none for the provider or the model.

        `provider` is the catalogue's id: `openai`, `google`, `x-ai`, `sandbox`; of a custom server `own/<slug>`.
        """
        return self.card_of(provider, (model,), moment, context)

    def card_of(
        self, provider: str, models: tuple[str, ...], moment: datetime, context: Context = ()
    ) -> RateCard | None:
        """The card of the first of a model's names that has one; an empty name is none.

        A later name comes first where it is the one that somebody has given a price of its own.
        """
        key = (provider, models, context)
        found = self._remembered.get(key)
        if found is None or not found[0] <= moment < found[1]:
            found = self._choose(provider, models, moment, context)
            self._remember(key, found)
        return found[2]

    @abstractmethod
    def look_up(self, provider: str, model: str, moment: datetime, context: Context) -> Remembered:
        """Work a card out, however long that takes."""

    def _choose(self, provider: str, models: tuple[str, ...], moment: datetime, context: Context) -> Remembered:
        since, until, chosen = BEGINNING, END, None
        for model in dict.fromkeys(filter(None, models)):
            found = self.look_up(provider, model, moment, context)
            since, until = max(since, found.since), min(until, found.until)
            if found.card is not None and (chosen is None or (found.card.named and not chosen.named)):
                chosen = found.card
        return Remembered(since, until, chosen)

    def forget(self) -> None:
        """Work every card out anew: the prices have changed."""
        with self._lock:
            self._remembered = {}

    def _remember(self, key: Asked, found: Remembered) -> None:
        with self._lock:
            self._remembered.pop(key, None)
            while len(self._remembered) >= self._room:
                del self._remembered[next(iter(self._remembered))]
            self._remembered[key] = found
