"""OpenRouter: https://openrouter.ai/docs/api-reference. It speaks three dialects, and tells the cost in each."""

from __future__ import annotations

from dataclasses import replace

from metering.providers.account import Probe
from metering.providers.anthropic import MessagesReader, messages
from metering.providers.base import Endpoint, Provider, under
from metering.providers.openai import EITHER, Endpoints, chat, completions, embeddings, models, responses, with_cost
from metering.providers.openai_usage import cost_in_credits, nano

PREFIX = "/api/v1"
CHAT, RESPONSES = with_cost(cost_in_credits)


class CostedMessagesReader(MessagesReader):
    """Anthropic's message, with the cost beside the counts."""

    __slots__ = ()

    def provider_cost(self) -> int | None:
        return nano(cost_in_credits(self.raw)) if self.raw else None


def _messages() -> Endpoints:
    def costed(endpoint: Endpoint) -> Endpoint:
        return endpoint if endpoint.free else replace(endpoint, reader=CostedMessagesReader)

    return tuple(map(costed, messages(PREFIX)))


OPENROUTER = Provider(
    slug="openrouter",
    label="OpenRouter",
    dialect="openai",
    base_url="https://openrouter.ai",
    prefix=PREFIX,
    own_path=under(PREFIX),
    endpoints=(
        *chat(PREFIX, CHAT, asks_usage=False, limits=EITHER),
        *completions(PREFIX, CHAT, asks_usage=False),
        *embeddings(PREFIX, CHAT),
        *responses(PREFIX, RESPONSES),
        *_messages(),
        *models(PREFIX),
    ),
    catalogue="openrouter",
    probe=Probe("GET", f"{PREFIX}/key", b""),
)
