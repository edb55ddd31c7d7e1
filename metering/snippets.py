"""A first call to copy: how a key is used with curl and with the provider's own SDK. Pure."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from urllib.parse import quote

PROMPT = "Say hello"
MODELS = {
    "openai": "gpt-4.1-mini",
    "anthropic": "claude-haiku-4-5",
    "google": "gemini-2.5-flash",
    "mistral": "mistral-small-latest",
    "groq": "llama-3.3-70b-versatile",
    "deepseek": "deepseek-chat",
    "xai": "grok-4",
    "together": "meta-llama/Llama-3.3-70B-Instruct-Turbo",
    "openrouter": "openai/gpt-4.1-mini",
    "perplexity": "sonar",
    "fireworks": "accounts/fireworks/models/gpt-oss-120b",
    "bedrock": "us.amazon.nova-lite-v1:0",
    "vertex": "gemini-2.5-flash",
    "azure": "your-deployment",
    "cohere": "command-a-03-2025",
    "cerebras": "gpt-oss-120b",
    "huggingface": "openai/gpt-oss-120b",
    "moonshotai": "kimi-k2-0905-preview",
    "novita": "deepseek/deepseek-v4-pro",
    "voyageai": "voyage-3.5",
    "zai": "glm-4.6",
    "sandbox": "sandbox-small",
}
OTHER_MODEL = "your-model"


@dataclass(frozen=True, slots=True)
class Snippet:
    """Code to copy, and what it is."""

    name: str
    label: str
    text: str


def snippets(*, proxy_url: str, slug: str, dialect: str, key: str, tags: dict[str, str]) -> list[Snippet]:
    """curl and Python for one provider; `proxy_url` ends in `/proxy`, and `tags` are what the call carries."""
    base = f"{proxy_url}/{slug}"
    model = MODELS.get(slug, OTHER_MODEL)
    header = json.dumps(tags, ensure_ascii=True)
    write_curl, write_python = WRITERS.get(slug) or WRITERS.get(dialect, WRITERS["openai"])
    return [
        Snippet("curl", "curl", write_curl(base, key, header, model)),
        Snippet("python", "Python", write_python(base, key, header, model)),
    ]


def _curl(url: str, credential: str, tags: str, body: dict[str, object]) -> str:
    headers = [credential, "Content-Type: application/json", f"X-Metering-Tags: {tags}"]
    lines = [f"curl {url}", *(f"-H {shlex.quote(header)}" for header in headers), f"-d {shlex.quote(json.dumps(body))}"]
    return " \\\n  ".join(lines)


def _openai_curl(base: str, key: str, tags: str, model: str) -> str:
    body: dict[str, object] = {"model": model, "messages": [{"role": "user", "content": PROMPT}]}
    return _curl(f"{base}/chat/completions", f"Authorization: Bearer {key}", tags, body)


def _openai_python(base: str, key: str, tags: str, model: str) -> str:
    return f"""from openai import OpenAI

client = OpenAI(
    base_url="{base}",
    api_key="{key}",
    default_headers={{"X-Metering-Tags": {tags!r}}},
)

answer = client.chat.completions.create(
    model="{model}",
    messages=[{{"role": "user", "content": "{PROMPT}"}}],
)
print(answer.choices[0].message.content)"""


def _voyage_curl(base: str, key: str, tags: str, model: str) -> str:
    return _curl(f"{base}/embeddings", f"Authorization: Bearer {key}", tags, {"model": model, "input": [PROMPT]})


def _voyage_python(base: str, key: str, tags: str, model: str) -> str:
    return f"""from openai import OpenAI

client = OpenAI(
    base_url="{base}",
    api_key="{key}",
    default_headers={{"X-Metering-Tags": {tags!r}}},
)

answer = client.embeddings.create(model="{model}", input=["{PROMPT}"])
print(len(answer.data[0].embedding))"""


def _anthropic_curl(base: str, key: str, tags: str, model: str) -> str:
    body: dict[str, object] = {
        "model": model,
        "max_tokens": 256,
        "messages": [{"role": "user", "content": PROMPT}],
    }
    return _curl(f"{base}/v1/messages", f"x-api-key: {key}", tags, body)


def _anthropic_python(base: str, key: str, tags: str, model: str) -> str:
    return f"""from anthropic import Anthropic

client = Anthropic(
    base_url="{base}",
    api_key="{key}",
    default_headers={{"X-Metering-Tags": {tags!r}}},
)

answer = client.messages.create(
    model="{model}",
    max_tokens=256,
    messages=[{{"role": "user", "content": "{PROMPT}"}}],
)
print(answer.content[0].text)"""


def _google_curl(base: str, key: str, tags: str, model: str) -> str:
    body: dict[str, object] = {"contents": [{"parts": [{"text": PROMPT}]}]}
    return _curl(f"{base}/v1beta/models/{model}:generateContent", f"x-goog-api-key: {key}", tags, body)


def _google_python(base: str, key: str, tags: str, model: str) -> str:
    return f"""from google import genai

client = genai.Client(
    api_key="{key}",
    http_options={{
        "base_url": "{base}",
        "headers": {{"X-Metering-Tags": {tags!r}}},
    }},
)

answer = client.models.generate_content(model="{model}", contents="{PROMPT}")
print(answer.text)"""


def _bedrock_curl(base: str, key: str, tags: str, model: str) -> str:
    body: dict[str, object] = {"messages": [{"role": "user", "content": [{"text": PROMPT}]}]}
    return _curl(f"{base}/model/{quote(model, safe='')}/converse", f"Authorization: Bearer {key}", tags, body)


def _bedrock_python(base: str, key: str, tags: str, model: str) -> str:
    return f"""import boto3

client = boto3.client(
    "bedrock-runtime",
    region_name="us-east-1",
    endpoint_url="{base}",
    aws_access_key_id="{key}",
    aws_secret_access_key="unused",
)
client.meta.events.register(
    "before-call.bedrock-runtime.*",
    lambda params, **_: params["headers"].update({{"X-Metering-Tags": {tags!r}}}),
)

answer = client.converse(
    modelId="{model}",
    messages=[{{"role": "user", "content": [{{"text": "{PROMPT}"}}]}}],
)
print(answer["output"]["message"]["content"][0]["text"])"""


def _vertex_curl(base: str, key: str, tags: str, model: str) -> str:
    body: dict[str, object] = {"contents": [{"role": "user", "parts": [{"text": PROMPT}]}]}
    url = f"{base}/v1/publishers/google/models/{model}:generateContent"
    return _curl(url, f"x-goog-api-key: {key}", tags, body)


def _vertex_python(base: str, key: str, tags: str, model: str) -> str:
    return _google_python(base, key, tags, model).replace("genai.Client(\n", "genai.Client(\n    vertexai=True,\n")


WRITERS = {
    "openai": (_openai_curl, _openai_python),
    "anthropic": (_anthropic_curl, _anthropic_python),
    "google": (_google_curl, _google_python),
    "bedrock": (_bedrock_curl, _bedrock_python),
    "vertex": (_vertex_curl, _vertex_python),
    "voyageai": (_voyage_curl, _voyage_python),
}
