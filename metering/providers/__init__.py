"""The providers that we know, by the slug in `/proxy/{slug}/…`. Pure."""

from __future__ import annotations

from metering.providers.anthropic import ANTHROPIC
from metering.providers.azure import AZURE
from metering.providers.base import Provider
from metering.providers.bedrock import BEDROCK
from metering.providers.cohere import COHERE
from metering.providers.compatible import COMPATIBLE, compatible
from metering.providers.google import GOOGLE
from metering.providers.openai import OPENAI
from metering.providers.openrouter import OPENROUTER
from metering.providers.perplexity import PERPLEXITY
from metering.providers.sandbox import SANDBOX
from metering.providers.vertex import VERTEX

__all__ = ["ALIASES", "PROVIDERS", "compatible", "find"]

OWN_FILES = (OPENAI, ANTHROPIC, GOOGLE, AZURE, BEDROCK, VERTEX, OPENROUTER, COHERE, PERPLEXITY)
PROVIDERS: dict[str, Provider] = {provider.slug: provider for provider in (*OWN_FILES, *COMPATIBLE, SANDBOX)}
ALIASES = {"gemini": "google"}


def find(slug: str) -> Provider | None:
    """The provider of a slug or of its alias; None: unknown, or a workspace's own server."""
    return PROVIDERS.get(ALIASES.get(slug, slug))
