"""The built-in provider that needs no key and no network: the gateway answers it itself, in OpenAI's dialect."""

from __future__ import annotations

from metering.providers.openai import chat, like_openai, models

SANDBOX = like_openai("sandbox", "Sandbox", "", "/v1", (*chat("/v1"), *models("/v1")), catalogue="sandbox")
