"""Trading a provider's stored key for an access token, where the provider wants one (RFC 6749, section 5)."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, NamedTuple

from tokonomics import outbound

if TYPE_CHECKING:
    from metering.providers.account import Grant

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
LONGEST_TOKEN = 8192
USUAL_SECONDS = 3600
LONGEST_SECONDS = 12 * 3600
LONGEST_REASON = 60


class Token(NamedTuple):
    """An access token, and for how many seconds from now it is good."""

    value: str
    seconds: int


class TokenError(Exception):
    """No token; the text is a sentence. `refused`: the provider does not know the key, or no longer."""

    def __init__(self, text: str, *, refused: bool = False) -> None:
        super().__init__(text)
        self.refused = refused


def fetch_token(grant: Grant, network: outbound.Network = outbound.INTERNET) -> Token:
    """Ask for a token; takes as long as the network does. Raises TokenError."""
    try:
        form = grant.form(dt.datetime.now(dt.UTC))
    except ValueError as error:
        raise TokenError(str(error), refused=True) from error
    try:
        answer = outbound.call("POST", grant.url, headers=FORM, content=form, network=network)
    except outbound.OutboundError as error:
        raise TokenError(f"No access token came from {grant.url}. {error}") from error
    if answer.status in (400, 401, 403):
        raise TokenError(f"The provider gives no access token for this key: {_reason(answer.body)}.", refused=True)
    if answer.status != 200:
        raise TokenError(f"No access token came from {grant.url}: it answers HTTP {answer.status}.")
    return _token(answer.body, grant.url)


def _token(body: bytes, url: str) -> Token:
    document = _read(body)
    value, seconds = document.get("access_token"), document.get("expires_in", USUAL_SECONDS)
    if not isinstance(value, str) or not 0 < len(value) <= LONGEST_TOKEN or not _is_plain(value):
        raise TokenError(f"No access token came from {url}: its answer holds none.")
    if not isinstance(seconds, int) or isinstance(seconds, bool) or seconds <= 0:
        seconds = USUAL_SECONDS
    # Google pads some tokens with dots.
    return Token(value.rstrip("."), min(seconds, LONGEST_SECONDS))


def _reason(body: bytes) -> str:
    """The error's code, such as `invalid_grant`: its description may hold anything."""
    reason = _read(body).get("error")
    plain = isinstance(reason, str) and 0 < len(reason) <= LONGEST_REASON and _is_plain(reason)
    return str(reason) if plain else "it does not say why"


def _read(body: bytes) -> dict[str, object]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _is_plain(text: str) -> bool:
    return all("!" <= sign <= "~" for sign in text)
