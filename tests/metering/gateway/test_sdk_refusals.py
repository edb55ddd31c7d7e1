"""Official SDKs that meet a cap with no room: one request each, and an exception that says what to do."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import anthropic
import openai
import pytest
from google import genai
from google.genai import errors, types

from metering.models import Budget, BudgetPeriod
from tests import factories
from tests.metering.gateway.conftest import KEY, Running, Start
from tests.metering.gateway.test_caps import CENT, capped, spend
from tests.upstreams.provider import Provider

ASK: list[Any] = [{"role": "user", "content": "ping"}]
USED_UP = "The cap of the workspace has $0.01 of $0.01 spent and $0 reserved by running calls; it resets at "
TOO_LARGE = "This call may cost more than is left: ask for less output, or raise the cap."

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def budget() -> Budget:
    """A cap of a cent on a workspace."""
    return Budget.objects.create(workspace=factories.WorkspaceFactory.create(), limit=CENT, hard=True)


@pytest.fixture
def gateway(start: Start, provider: Provider, budget: Budget) -> Running:
    """A gateway whose three accounts are under that cap."""
    return capped(start, provider, budget, slugs=("openai", "anthropic", "google"))


def url(gateway: Running, provider: str) -> str:
    return f"http://127.0.0.1:{gateway.port}/proxy/{provider}"


def openai_chat(gateway: Running) -> None:
    with openai.OpenAI(base_url=url(gateway, "openai"), api_key=KEY) as client:
        client.chat.completions.create(model="gpt-4o-mini", messages=ASK)


def openai_stream(gateway: Running) -> None:
    with openai.OpenAI(base_url=url(gateway, "openai"), api_key=KEY) as client:
        client.chat.completions.create(model="gpt-4o-mini", messages=ASK, stream=True)


def openai_responses(gateway: Running) -> None:
    with openai.OpenAI(base_url=url(gateway, "openai"), api_key=KEY) as client:
        client.responses.create(model="gpt-4o-mini", input="ping")


def openai_async(gateway: Running) -> None:
    async def ask() -> None:
        async with openai.AsyncOpenAI(base_url=url(gateway, "openai"), api_key=KEY) as client:
            await client.chat.completions.create(model="gpt-4o-mini", messages=ASK)

    asyncio.run(ask())


def anthropic_messages(gateway: Running) -> None:
    with anthropic.Anthropic(base_url=url(gateway, "anthropic"), api_key=KEY) as client:
        client.messages.create(model="claude-sonnet-4-6", max_tokens=10, messages=ASK)


def anthropic_stream(gateway: Running) -> None:
    with (
        anthropic.Anthropic(base_url=url(gateway, "anthropic"), api_key=KEY) as client,
        client.messages.stream(model="claude-sonnet-4-6", max_tokens=10, messages=ASK) as stream,
    ):
        stream.until_done()


def anthropic_async(gateway: Running) -> None:
    async def ask() -> None:
        async with anthropic.AsyncAnthropic(base_url=url(gateway, "anthropic"), api_key=KEY) as client:
            await client.messages.create(model="claude-sonnet-4-6", max_tokens=10, messages=ASK)

    asyncio.run(ask())


def google_client(gateway: Running) -> genai.Client:
    return genai.Client(api_key=KEY, http_options=types.HttpOptions(base_url=url(gateway, "google")))


def google_content(gateway: Running) -> None:
    client = google_client(gateway)
    try:
        client.models.generate_content(model="gemini-2.5-flash", contents="ping")
    finally:
        client.close()


def google_stream(gateway: Running) -> None:
    client = google_client(gateway)
    try:
        list(client.models.generate_content_stream(model="gemini-2.5-flash", contents="ping"))
    finally:
        client.close()


def google_async(gateway: Running) -> None:
    async def ask() -> None:
        client = google_client(gateway).aio
        try:
            await client.models.generate_content(model="gemini-2.5-flash", contents="ping")
        finally:
            await client.aclose()

    asyncio.run(ask())


RATE_LIMITED: dict[Callable[[Running], None], type[Exception]] = {
    openai_chat: openai.RateLimitError,
    openai_stream: openai.RateLimitError,
    openai_responses: openai.RateLimitError,
    openai_async: openai.RateLimitError,
    anthropic_messages: anthropic.RateLimitError,
    anthropic_stream: anthropic.RateLimitError,
    anthropic_async: anthropic.RateLimitError,
    google_content: errors.ClientError,
    google_stream: errors.ClientError,
    google_async: errors.ClientError,
}


def refusals(gateway: Running) -> list[list[Any]]:
    """Code and number of what was refused, which is every request that came."""
    counted = gateway.wait(lambda: gateway.records("refusals"))
    return [count[4:] for record in counted for count in record["counts"]]


@pytest.mark.parametrize("ask", RATE_LIMITED, ids=lambda ask: ask.__name__)
def test_a_used_up_cap_is_one_request_and_a_clear_exception(
    gateway: Running, provider: Provider, budget: Budget, ask: Callable[[Running], None]
) -> None:
    spend(budget, CENT)
    with pytest.raises(RATE_LIMITED[ask]) as caught:
        ask(gateway)
    assert USED_UP in str(caught.value)
    assert refusals(gateway) == [["budget_exhausted", 1]]
    assert provider.received == []


@pytest.mark.parametrize("ask", [openai_chat, anthropic_messages, google_content], ids=lambda ask: ask.__name__)
def test_a_call_that_cannot_fit_is_one_request(
    gateway: Running, provider: Provider, budget: Budget, ask: Callable[[Running], None]
) -> None:
    spend(budget, CENT - 1)
    with pytest.raises(RATE_LIMITED[ask]) as caught:
        ask(gateway)
    assert TOO_LARGE in str(caught.value)
    assert refusals(gateway) == [["request_exceeds_budget", 1]]
    assert provider.received == []


@pytest.mark.parametrize(
    ("ask", "expected"),
    [
        (openai_chat, openai.APIStatusError),
        (anthropic_messages, anthropic.APIStatusError),
        (google_content, errors.ClientError),
    ],
    ids=["openai", "anthropic", "google"],
)
def test_status_402_is_one_request(
    gateway: Running, budget: Budget, ask: Callable[[Running], None], expected: type[Exception]
) -> None:
    [key] = gateway.gateway.directory.keys.values()
    key.workspace.budget_status = 402
    spend(budget, CENT)
    with pytest.raises(expected) as caught:
        ask(gateway)
    assert getattr(caught.value, "status_code", getattr(caught.value, "code", None)) == 402
    assert USED_UP in str(caught.value)
    assert refusals(gateway) == [["budget_exhausted", 1]]


def test_an_sdk_waits_for_running_calls_and_goes_on(gateway: Running, provider: Provider, budget: Budget) -> None:
    Budget.objects.update(limit=1000 * CENT)
    spend(budget, 0, reserved=1000 * CENT)
    done = threading.Event()

    def ask() -> None:
        openai_chat(gateway)
        done.set()

    asking = threading.Thread(target=ask)
    asking.start()
    assert refusals(gateway)[0] == ["budget_reserved", 1]
    BudgetPeriod.objects.update(reserved=0)
    asking.join(20)
    assert done.is_set()
    assert len(provider.received) == 1
