from __future__ import annotations

import json
from typing import Any

import pytest

from metering import providers
from metering.forms.cloud_keys import BedrockForm, VertexForm
from metering.providers.bedrock_key import read_key as read_bedrock
from metering.providers.vertex_key import read_key as read_vertex
from tests.metering.service_account import key_file

ACCESS = {"access_key_id": "AKIAIOSFODNN7EXAMPLE", "secret_access_key": "CANARY/secret"}
NAMED = {"name": "Main", "region": "eu-central-1"}


def bedrock(**data: str) -> BedrockForm:
    return BedrockForm(NAMED | data, provider=providers.PROVIDERS["bedrock"])


def vertex(**data: Any) -> VertexForm:
    return VertexForm({"name": "Main", **data}, provider=providers.PROVIDERS["vertex"])


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ({"api_key": " ABSK1 "}, {"region": "eu-central-1", "api_key": "ABSK1"}),
        (
            {**ACCESS, "region": " US-East-1 "},
            {
                "region": "us-east-1",
                "aws_access_key_id": "AKIAIOSFODNN7EXAMPLE",
                "aws_secret_access_key": "CANARY/secret",
            },
        ),
        (
            {**ACCESS, "session_token": "t"},
            {
                "region": "eu-central-1",
                "aws_access_key_id": "AKIAIOSFODNN7EXAMPLE",
                "aws_secret_access_key": "CANARY/secret",
                "aws_session_token": "t",
            },
        ),
    ],
)
def test_the_parts_of_a_key_become_one(typed: dict[str, str], stored: dict[str, str]) -> None:
    form = bedrock(**typed)
    assert form.is_valid(), form.errors
    assert json.loads(form.cleaned_data["secret"]) == stored
    assert set(form.cleaned_data) == {"name", "base_url", "secret"}
    assert json.loads(read_bedrock(form.cleaned_data["secret"]).stored) == stored


@pytest.mark.parametrize(
    ("typed", "field", "error"),
    [
        ({}, "__all__", "API key of Bedrock, or an access key"),
        ({"access_key_id": "AKIAIOSFODNN7EXAMPLE"}, "secret_access_key", "give both"),
        ({"secret_access_key": "s"}, "access_key_id", "give both"),
        ({"session_token": "s"}, "access_key_id", "give both"),
        ({"api_key": "ABSK1", **ACCESS}, "api_key", "not both"),
        ({"api_key": "ABSK1", "region": ""}, "region", "required"),
        ({"api_key": "ABSK1", "name": ""}, "name", "required"),
    ],
)
def test_what_is_missing_is_said_where(typed: dict[str, str], field: str, error: str) -> None:
    form = bedrock(**typed)
    assert not form.is_valid()
    assert error in str(form.errors[field])
    assert "CANARY" not in form.as_p()


def test_project_and_location_are_kept_with_the_key_file() -> None:
    form = vertex(key_file=json.dumps(key_file(), indent=2), project="other-123", location="Europe-West4")
    assert form.is_valid(), form.errors
    key = read_vertex(form.cleaned_data["secret"])
    assert (key.project, key.location) == ("other-123", "europe-west4")
    assert key.grant is not None
    assert key.grant.email == "caller@acme-123.iam.gserviceaccount.com"


def test_the_project_of_the_key_file_is_the_usual_one() -> None:
    form = vertex(key_file=json.dumps(key_file()))
    assert form.is_valid(), form.errors
    key = read_vertex(form.cleaned_data["secret"])
    assert (key.project, key.location) == ("acme-123", "global")


def test_an_api_key_of_vertex_is_taken_as_it_is() -> None:
    form = vertex(key_file=" AIzaSyExample1\n", location="global")
    assert form.is_valid(), form.errors
    assert form.cleaned_data["secret"] == "AIzaSyExample1"


@pytest.mark.parametrize(
    ("typed", "field", "error"),
    [("", "key_file", "required"), ("{CANARY", "key_file", "cannot be read"), ("{" * 99, "key_file", "read")],
)
def test_a_key_file_that_is_none(typed: str, field: str, error: str) -> None:
    form = vertex(key_file=typed)
    assert not form.is_valid()
    assert error in str(form.errors[field])
    assert "CANARY" not in form.as_p()


def test_a_stored_key_is_kept_where_it_is_used() -> None:
    kept = read_bedrock(json.dumps({"region": "eu-central-1", "api_key": "ABSK1"}))
    provider = providers.PROVIDERS["bedrock"]
    assert BedrockForm(provider=provider, kept=kept)["region"].value() == "eu-central-1"
    form = BedrockForm(NAMED, provider=provider, kept=kept)
    assert form.is_valid(), form.errors
    assert form.cleaned_data["secret"] == ""
    moved = BedrockForm({"name": "Main", "region": "us-east-1"}, provider=provider, kept=kept)
    assert not moved.is_valid()
    assert "needs the key again" in str(moved.errors["region"])
