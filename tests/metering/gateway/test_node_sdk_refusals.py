"""SDKs for Node at a used-up cap. NODE_SDKS names a folder whose node_modules holds openai, ai and @ai-sdk/openai."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from metering.models import Budget
from tests import factories
from tests.metering.gateway.conftest import KEY, Running, Start
from tests.metering.gateway.test_caps import CENT, capped, spend
from tests.metering.gateway.test_sdk_refusals import USED_UP, refusals, url
from tests.upstreams.provider import Provider

FOLDER = os.environ.get("NODE_SDKS", "")
NODE = shutil.which("node")
PACKAGES = ("openai", "ai", "@ai-sdk/openai")
MISSING = [name for name in PACKAGES if not (FOLDER and Path(FOLDER, "node_modules", name).is_dir())]

SCRIPT = """
const { createRequire } = require("module");
const load = createRequire(process.argv[2] + "/index.js");
const [baseURL, apiKey] = process.argv.slice(3);
const prompts = {
  async openai() {
    const OpenAI = load("openai").default;
    await new OpenAI({ baseURL, apiKey }).chat.completions.create(
      { model: "gpt-4o-mini", messages: [{ role: "user", content: "ping" }] });
  },
  async openai_stream() {
    const OpenAI = load("openai").default;
    await new OpenAI({ baseURL, apiKey }).responses.create({ model: "gpt-4o-mini", input: "ping", stream: true });
  },
  async ai() {
    const model = load("@ai-sdk/openai").createOpenAI({ baseURL, apiKey }).chat("gpt-4o-mini");
    await load("ai").generateText({ model, prompt: "ping" });
  },
};
prompts[process.argv[5]]().catch((error) =>
  console.log(JSON.stringify({ name: error.name, message: error.message, status: error.status ?? error.statusCode })));
"""

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(NODE is None, reason="Node is not installed"),
    pytest.mark.skipif(bool(MISSING), reason=f"NODE_SDKS names no folder that holds {', '.join(MISSING)}"),
]


@pytest.fixture
def budget() -> Budget:
    """A cap of a cent on a workspace, used up."""
    made = Budget.objects.create(workspace=factories.WorkspaceFactory.create(), limit=CENT, hard=True)
    spend(made, CENT)
    return made


@pytest.fixture
def gateway(start: Start, provider: Provider, budget: Budget) -> Running:
    return capped(start, provider, budget)


def ask(gateway: Running, name: str, tmp_path: Path) -> dict[str, Any]:
    """The error that an SDK throws."""
    script = tmp_path / "ask.cjs"
    script.write_text(SCRIPT)
    command = [str(NODE), str(script), FOLDER, url(gateway, "openai"), KEY, name]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("name", ["openai", "openai_stream"])
def test_openai_sends_one_request_and_says_why(gateway: Running, tmp_path: Path, name: str) -> None:
    error = ask(gateway, name, tmp_path)
    assert error["status"] == 429
    assert USED_UP in error["message"]
    assert refusals(gateway) == [["budget_exhausted", 1]]


@pytest.mark.parametrize(("name", "error_name"), [("openai", "Error"), ("ai", "AI_APICallError")])
def test_status_402_is_one_request(gateway: Running, tmp_path: Path, name: str, error_name: str) -> None:
    [key] = gateway.gateway.directory.keys.values()
    key.workspace.budget_status = 402
    error = ask(gateway, name, tmp_path)
    assert (error["name"], error["status"]) == (error_name, 402)
    assert USED_UP in error["message"]
    assert refusals(gateway) == [["budget_exhausted", 1]]


def test_ai_takes_no_429_for_final(gateway: Running, tmp_path: Path) -> None:
    error = ask(gateway, "ai", tmp_path)
    assert USED_UP in error["message"]
    gateway.wait(lambda: sum(number for _, number in refusals(gateway)) == 3)
