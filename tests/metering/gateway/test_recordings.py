"""Every recorded answer through one running gateway and on into the ledger: its bytes, one event, usage and cost."""

from __future__ import annotations

import datetime as dt
import http.client
import json
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

import orjson
import pytest

from billing.catalogue import charge_reading
from billing.money import to_nano
from metering import providers
from metering.answers import parse
from metering.ledger import UsageEvent
from metering.providers.injection import reports_usage_alone
from metering.sse import SSEDecoder
from metering.usage import Part, Reading, Usage
from tests.factories import WorkspaceFactory
from tests.metering.gateway.conftest import CATALOGUE, WORKSPACE, Running, eventually
from tests.metering.test_recordings import COST_KNOWN, FOLDER, PATHS, USAGE_KNOWN, counts
from tests.metering.test_recordings import SLUGS as RENAMED
from tests.metering.test_recordings_bedrock_vertex import UNASKED, body_of
from tests.spooled import record
from tests.upstreams.provider import Answer, Provider

SLUGS = {**RENAMED, "aws": "bedrock"}
FRAMING = {"date", "server", "content-length", "content-encoding", "transfer-encoding", "connection", "keep-alive"}
TYPED = "multipart/form-data; boundary=b"
FORM = b'--b\r\nContent-Disposition: form-data; name="model"\r\n\r\n%b\r\n--b--\r\n'
SENT_UNASKED = {"huggingface"}
"""Who is asked for usage, and sent some that was recorded unasked: it depends on who serves a model."""
CASES = {file.stem: json.loads(file.read_text()) for file in sorted(FOLDER.glob("dev/*/*.json"))}
pytestmark = pytest.mark.skipif(not CASES, reason=f"no recordings in {FOLDER}: set TOKONOMICS_RECORDINGS")


class Played(NamedTuple):
    """What came of one recording: what the client got, what the provider was asked, and the event."""

    status: int
    body: bytes
    asked: list[str]
    event: dict[str, Any]


@pytest.fixture(scope="module")
def gateway(module_start: Any) -> tuple[Running, Provider]:
    """One gateway and one provider, who stands for all."""
    provider = Provider(lambda received: Answer())
    slugs = {SLUGS.get(recording["provider"], recording["provider"]) for recording in CASES.values()}
    return module_start(dict.fromkeys(slugs, provider.url), workspace=WORKSPACE), provider


@pytest.fixture(scope="module")
def played(gateway: tuple[Running, Provider]) -> dict[str, Played]:
    """All recordings, played."""
    running, provider = gateway
    answers = {name: play(running, provider, recording) for name, recording in CASES.items()}
    events = {event["id"]: event for event in eventually(lambda: results(running, len(answers)))}
    return {
        name: Played(status, body, asked, events[identifier])
        for name, (status, body, asked, identifier) in answers.items()
    }


def results(running: Running, number: int) -> list[dict[str, Any]]:
    """The events in the spool, once all are there."""
    found = running.records("result")
    return found if len(found) == number else []


def play(running: Running, provider: Provider, recording: dict[str, Any]) -> tuple[int, bytes, list[str], str]:
    """Have the gateway make the recorded call, or one like it where only the answer was kept."""
    provider.answer = lambda received: answer_of(recording)
    provider.received.clear()
    answer = ask(running, recording)
    text = answer.read()
    identifier = answer.headers["x-metering-event-id"]
    assert identifier, (answer.status, text)
    running.clients.pop().close()
    return answer.status, text, [request.path for request in provider.received], identifier


def ask(running: Running, recording: dict[str, Any]) -> http.client.HTTPResponse:
    """Make the recorded call; the answer's body is unread."""
    path, body, content_type = request_of(recording)
    slug = SLUGS.get(recording["provider"], recording["provider"])
    return running.call(f"/proxy/{slug}{path}", body, content_type=content_type)


def request_of(recording: dict[str, Any]) -> tuple[str, bytes, str]:
    """Path and query, body, and its type."""
    kind, expected = recording["endpoint_kind"], recording["expected"]
    request = recording["request"] or {"path": PATHS.get(kind) or UNASKED[kind], "query": "", "body": None}
    model = expected["request_model"] or expected["model"] or "unknown"
    path = request["path"].replace("/models/m:", f"/models/{model}:")
    if recording["stream"] and path.endswith(":generateContent"):
        path = path.replace(":generateContent", ":streamGenerateContent") + "?alt=sse"
    if request["query"] and "?" not in path:
        path += f"?{request['query']}"
    content_type = str((request.get("headers") or {}).get("content-type", "application/json"))
    asked = {"model": model, "stream": recording["stream"], "stream_options": {"include_usage": True}}
    body = (request.get("body_text") or "").encode() or orjson.dumps(request["body"] or asked)
    if content_type.startswith("multipart/") and body[:1] == b"{":
        return path, FORM % model.encode(), TYPED
    return path, body, content_type


def answer_of(recording: dict[str, Any]) -> Answer:
    """The recorded answer, a stream in seven pieces that end anywhere."""
    response, body = recording["response"], body_of(recording)
    headers = {name: value for name, value in response["headers"].items() if name.lower() not in FRAMING}
    if not recording["stream"]:
        return Answer(response["status"], headers, body)
    size = max(1, len(body) // 7)
    return Answer(response["status"], headers, chunks=[body[at : at + size] for at in range(0, len(body), size)])


def shown(recording: dict[str, Any]) -> bytes:
    """What a client sees: all of it, but for a usage that comes alone though it had not asked for that."""
    body = body_of(recording)
    asked = b"include_usage" in request_of(recording)[1]
    if asked or not recording["stream"] or recording["provider"] not in SENT_UNASKED:
        return body
    events = SSEDecoder().decode(body)
    return b"".join(raw for raw, data in events if not reports_usage_alone(parse(data)))


def expected_cost(recording: dict[str, Any], event: dict[str, Any]) -> int | None:
    """The provider's own figure, else what the catalogue says to the expected usage at the moment of the event."""
    expected = recording["expected"]
    if expected["provider_reported_cost_usd"] is not None:
        return to_nano(Decimal(str(expected["provider_reported_cost_usd"])))
    context = ((expected.get("cost") or {}).get("price_context") or {}).items()
    reading = Reading(
        Usage.from_counts(counts(expected["usage"])),
        model=expected["response_model"] or "",
        parts=tuple(
            Part(part["model"], Usage.from_counts(counts(part["usage"]))) for part in expected["extra"].get("parts", ())
        ),
        service_tier=str(expected["service_tier"] or ""),
        context=tuple((name, value) for name, value in context if name not in ("service_tier", "processing")),
    )
    provider, other = providers.PROVIDERS[event["provider"]], event["requested_model"]
    if provider.priced_as_asked:
        reading, other = reading.as_asked(other), reading.model
    moment = dt.datetime.fromtimestamp(event["at"] / 1e6, dt.UTC)
    charge = charge_reading(CATALOGUE, provider.catalogue, reading, other, moment)
    return charge.cost if charge else None


@pytest.mark.parametrize("name", CASES)
def test_the_client_gets_the_recorded_bytes(played: dict[str, Played], name: str) -> None:
    found, status = played[name], CASES[name]["response"]["status"]
    if status == 401:  # the stored key's fault, which is not the client's
        assert (found.status, b"upstream_auth" in found.body) == (502, True)
    else:
        assert (found.status, found.body) == (status, shown(CASES[name]))


@pytest.mark.parametrize("name", [name for name, recording in CASES.items() if recording["request"]])
def test_the_provider_is_asked_as_it_was_recorded(played: dict[str, Played], name: str) -> None:
    assert played[name].asked == [request_of(CASES[name])[0]]


@pytest.mark.parametrize("name", CASES)
def test_the_event_has_the_usage_and_the_cost(played: dict[str, Played], name: str) -> None:
    recording, event = CASES[name], played[name].event
    expected = recording["expected"]
    if recording["response"]["status"] >= 400:
        assert (event["status"], event["cost"], event["usage"]) == ("provider_error", 0, {})
    elif event["cost_source"] == "free":
        assert event["cost"] == 0
        assert "count" in recording["endpoint_kind"]
    elif not expected["usage_present"]:
        assert event["estimated"] or event["cost"] is None or name in USAGE_KNOWN
    elif name not in USAGE_KNOWN | COST_KNOWN:
        assert event["usage"] == counts(expected["usage"])
        assert (event["estimated"], event["cost"]) == (False, expected_cost(recording, event))


@pytest.mark.django_db(transaction=True)
def test_the_ledger_holds_every_event_once(gateway: tuple[Running, Provider], played: dict[str, Played]) -> None:
    WorkspaceFactory.create(pk=WORKSPACE)
    record(gateway[0].spool)
    rows = {row.id: row for row in UsageEvent.objects.filter(workspace_id=WORKSPACE)}
    assert rows.keys() == {UUID(found.event["id"]) for found in played.values()}
    for found in played.values():
        row = rows[UUID(found.event["id"])]
        told = (
            row.usage,
            row.cost,
            row.cost_source,
            row.provider_cost,
            row.model,
            row.status,
            row.estimated,
            row.flags,
        )
        names = ("usage", "cost", "cost_source", "provider_cost", "model", "status", "estimated", "flags")
        assert told == tuple(found.event[name] for name in names)
