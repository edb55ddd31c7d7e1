"""The agency of the demo: its clients, what each does with models, and the state that its budget is in. Pure."""

from __future__ import annotations

from decimal import Decimal
from enum import Enum
from typing import NamedTuple

WORKSPACE = "Harbour Street Studio"
TIME_ZONE = "Europe/London"
MONTHS = 6


class State(Enum):
    """How a budget stands by the end of the demo."""

    NONE = "no budget"
    CALM = "far from its cap"
    NEAR = "near its cap"
    USED_UP = "stopped by its cap"
    OVER = "over a budget that only warns"
    RAISED = "with a raised cap"
    PAUSED = "with a paused cap"


class Work(NamedTuple):
    """One kind of call: its share of a client's calls, and how many tokens go in and out of the middle one."""

    project: str
    feature: str
    provider: str
    model: str
    share: int
    tokens_in: int
    tokens_out: int
    cached: Decimal = Decimal(0)
    """The share of the input that is read from the provider's cache."""


class Customer(NamedTuple):
    """A client of the agency. `calls` are those of a working day; `growth` is what a month adds to them."""

    name: str
    calls: int
    growth: Decimal
    state: State
    works: tuple[Work, ...]


CACHED = Decimal("0.6")

SUPPORT = Work("helpdesk", "answer", "openai", "gpt-4.1", 60, 11200, 610, CACHED)
TRIAGE = Work("helpdesk", "triage", "openai", "gpt-4.1-mini", 40, 2900, 20)
SEARCH = Work("search", "embed", "openai", "text-embedding-3-large", 50, 92700, 0)
ARTICLES = Work("newsroom", "draft", "anthropic", "claude-sonnet-4-5", 45, 29500, 5400)
SUMMARIES = Work("newsroom", "summary", "anthropic", "claude-haiku-4-5", 55, 34000, 920, CACHED)
RESEARCH = Work("research", "report", "openai", "gpt-4.1", 30, 64000, 2900)
REASONING = Work("research", "check", "openai", "o4-mini", 20, 16000, 7200)
VISION = Work("catalogue", "describe", "google", "gemini-2.5-pro", 70, 9100, 880)
EXTRACTION = Work("back-office", "extract", "google", "gemini-2.5-flash", 60, 48000, 2600)
TRANSLATION = Work("website", "translate", "mistral", "mistral-large-latest", 40, 9800, 9700)
ASSISTANT = Work("app", "chat", "groq", "llama-3.3-70b-versatile", 70, 17600, 840)
CODING = Work("app", "codegen", "anthropic", "claude-sonnet-4-5", 30, 82000, 2500, CACHED)
TUNED = Work("app", "classify", "together", "harbour/intent-classifier-7b", 100, 400, 8)

CUSTOMERS = (
    Customer("Northlight Press", 120, Decimal("1.12"), State.NEAR, (ARTICLES, SUMMARIES)),
    Customer("Kettle & Crane", 95, Decimal("1.05"), State.CALM, (SUPPORT, TRIAGE)),
    Customer("Bramble Health", 70, Decimal("1.20"), State.USED_UP, (RESEARCH, REASONING, SUPPORT)),
    Customer("Oriel Homes", 85, Decimal("0.96"), State.OVER, (VISION, SEARCH)),
    Customer("Fathom Freight", 60, Decimal("1.08"), State.CALM, (EXTRACTION, TRIAGE)),
    Customer("Juniper Bank", 40, Decimal("1.15"), State.RAISED, (REASONING, SUPPORT)),
    Customer("Pelham Legal", 35, Decimal("1.02"), State.NEAR, (RESEARCH, EXTRACTION)),
    Customer("Saltmarsh Travel", 55, Decimal("1.01"), State.NONE, (TRANSLATION, ASSISTANT)),
    Customer("Tidewater Games", 45, Decimal("1.25"), State.CALM, (CODING, ASSISTANT)),
    Customer("Velo Collective", 30, Decimal("0.90"), State.PAUSED, (VISION, ASSISTANT)),
    Customer("Wren Charity", 15, Decimal("1.00"), State.NONE, (SUMMARIES,)),
    Customer("Zephyr Energy", 25, Decimal("1.10"), State.CALM, (SEARCH, SUPPORT)),
)

UNATTRIBUTED = Customer("", 18, Decimal("1.03"), State.NONE, (SUPPORT, SEARCH))
"""Calls that came without a client."""

UNCONFIRMED = Customer("bramble-heath", 2, Decimal(1), State.NONE, (SUPPORT,))
"""A client that somebody misspelt in a tag."""

UNPRICED = Customer("Tidewater Games", 6, Decimal(1), State.NONE, (TUNED,))
"""A model that no price list has."""

SHARES = {
    State.CALM: Decimal("0.42"),
    State.NEAR: Decimal("0.86"),
    State.OVER: Decimal("1.18"),
    State.RAISED: Decimal("1.06"),
    State.PAUSED: Decimal("1.10"),
}
"""What this month has cost so far, of the limit that the demo sets."""
