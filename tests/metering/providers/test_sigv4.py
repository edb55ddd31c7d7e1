"""The signer against AWS's own published test suite for Signature Version 4."""

from __future__ import annotations

import datetime as dt
import re

import pytest

from metering.providers.account import Outgoing
from metering.providers.sigv4 import AccessKey, authorization, sign

KEY = AccessKey("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
HOST, DATE = ("host", "example.amazonaws.com"), ("x-amz-date", "20150830T123600Z")
PLACE = {"region": "us-east-1", "service": "service"}
LETTERS = "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
FORM = "application/x-www-form-urlencoded"

# https://docs.aws.amazon.com/general/latest/gr/signature-v4-test-suite.html: name, method, target, headers, body,
# signature.
SUITE = [
    ("get-vanilla", "GET", "/", [], "", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
    (
        "get-header-key-duplicate",
        "GET",
        "/",
        [("my-header1", "value2"), ("my-header1", "value2"), ("my-header1", "value1")],
        "",
        "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea",
    ),
    (
        "get-header-value-order",
        "GET",
        "/",
        [("my-header1", "value4"), ("my-header1", "value1"), ("my-header1", "value3"), ("my-header1", "value2")],
        "",
        "08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01",
    ),
    (
        "get-header-value-trim",
        "GET",
        "/",
        [("my-header1", " value1"), ("my-header2", ' "a   b   c"')],
        "",
        "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736",
    ),
    (
        "get-unreserved",
        "GET",
        f"/{LETTERS}",
        [],
        "",
        "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f",
    ),
    ("get-utf8", "GET", "/ሴ", [], "", "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"),
    (
        "get-vanilla-empty-query-key",
        "GET",
        "/?Param1=value1",
        [],
        "",
        "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb",
    ),
    (
        "get-vanilla-query-order-encoded",
        "GET",
        "/?Param-3=Value3&Param=Value2&%E1%88%B4=Value1",
        [],
        "",
        "371d3713e185cc334048618a97f809c9ffe339c62934c032af5a0e595648fcac",
    ),
    (
        "get-vanilla-query-order-key",
        "GET",
        "/?Param1=value2&Param1=Value1",
        [],
        "",
        "eedbc4e291e521cf13422ffca22be7d2eb8146eecf653089df300a15b2382bd1",
    ),
    (
        "get-vanilla-query-order-key-case",
        "GET",
        "/?Param2=value2&Param1=value1",
        [],
        "",
        "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
    ),
    (
        "get-vanilla-query-order-value",
        "GET",
        "/?Param1=value2&Param1=value1",
        [],
        "",
        "5772eed61e12b33fae39ee5e7012498b51d56abc0abb7c60486157bd471c4694",
    ),
    (
        "get-vanilla-query-unreserved",
        "GET",
        f"/?{LETTERS}={LETTERS}",
        [],
        "",
        "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197",
    ),
    ("post-vanilla", "POST", "/", [], "", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
    (
        "post-vanilla-query",
        "POST",
        "/?Param1=value1",
        [],
        "",
        "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11",
    ),
    (
        "post-header-key-sort",
        "POST",
        "/",
        [("my-header1", "value1")],
        "",
        "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c",
    ),
    (
        "post-header-value-case",
        "POST",
        "/",
        [("my-header1", "VALUE1")],
        "",
        "cdbc9802e29d2942e5e10b5bccfdd67c5f22c7c4e8ae67b53629efa58b974b7d",
    ),
    (
        "post-x-www-form-urlencoded",
        "POST",
        "/",
        [("content-type", FORM)],
        "Param1=value1",
        "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
    ),
    (
        "post-x-www-form-urlencoded-parameters",
        "POST",
        "/",
        [("content-type", f"{FORM}; charset=utf8")],
        "Param1=value1",
        "1a72ec8f64bd914b0e42e42607c7fbce7fb2c7465f63e3092b3b0d39fa77a6fe",
    ),
]


@pytest.mark.parametrize("case", SUITE, ids=lambda case: case[0])
def test_the_published_vectors(case: tuple[str, str, str, list[tuple[str, str]], str, str]) -> None:
    _, method, target, headers, body, signature = case
    request = Outgoing(method.encode(), HOST[1].encode(), target.encode(), body.encode())
    found = authorization(request, [*headers, HOST, DATE], KEY, **PLACE)
    names = ";".join(sorted({name for name, _ in (*headers, HOST, DATE)}))
    scope = "AKIDEXAMPLE/20150830/us-east-1/service/aws4_request"
    assert found == f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders={names}, Signature={signature}"


def test_the_vector_with_a_session_token() -> None:
    """post-sts-header-before, whose token the suite's readme gives."""
    token = (
        "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8YU"
        "uwthAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8Y"
        "QcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICC"
        "R/oLxBA=="
    )
    key = AccessKey(KEY.id, KEY.secret, token)
    request = Outgoing(b"POST", b"example.amazonaws.com", b"/", b"")
    lines = sign(request, key, moment=dt.datetime(2015, 8, 30, 12, 36, tzinfo=dt.UTC), **PLACE).decode()
    assert "x-amz-date: 20150830T123600Z\r\n" in lines
    assert f"x-amz-security-token: {token}\r\n" in lines
    assert "SignedHeaders=host;x-amz-date;x-amz-security-token" in lines
    assert "Signature=85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead\r\n" in lines


def test_the_moment_is_told_in_utc() -> None:
    east = dt.datetime(2015, 8, 30, 18, 6, tzinfo=dt.timezone(dt.timedelta(hours=5, minutes=30)))
    lines = sign(Outgoing(b"GET", b"example.amazonaws.com", b"/", b""), KEY, moment=east, **PLACE).decode()
    assert "Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31" in lines


@pytest.mark.parametrize(
    "change",
    [
        Outgoing(b"GET", b"bedrock.example", b"/model/a%3A0/converse", b"{}"),
        Outgoing(b"POST", b"other.example", b"/model/a%3A0/converse", b"{}"),
        Outgoing(b"POST", b"bedrock.example", b"/model/a:0/converse", b"{}"),
        Outgoing(b"POST", b"bedrock.example", b"/model/a%3A0/converse?x=1", b"{}"),
        Outgoing(b"POST", b"bedrock.example", b"/model/a%3A0/converse", b"{ }"),
    ],
)
def test_every_part_of_a_request_is_signed(change: Outgoing) -> None:
    request = Outgoing(b"POST", b"bedrock.example", b"/model/a%3A0/converse", b"{}")
    moment = dt.datetime(2026, 11, 25, tzinfo=dt.UTC)
    signatures = [sign(one, KEY, moment=moment, **PLACE) for one in (request, request, change)]
    assert signatures[0] == signatures[1] != signatures[2]
    assert re.search(rb"Signature=[0-9a-f]{64}\r\n$", signatures[2])
