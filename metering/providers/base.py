"""What a provider is to the meter: which calls it takes, under which path, and who reads the answer. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol
from urllib.parse import unquote

from metering.providers.account import Account, Probe
from metering.usage import Reading

MOST_CACHED_ROUTES = 2048
SAFE_PATH = re.compile(r"(?:/(?:[A-Za-z0-9._~:@+=-]|%3[Aa]|%2[Ff])+)+/?")
"""No escapes but the colon's and the slash's, no empty segment: what we match is what the provider sees."""
MODEL = r"(?:[A-Za-z0-9._:@+-]|%3[Aa])+(?:/(?:[A-Za-z0-9._:@+-]|%3[Aa])+)*"
"""A model's id in a path; some have a slash between maker and name."""
VERSIONS = re.compile(r"(?:/(?:openai|api|inference|paas)(?=/)|/v\d+(?:(?:alpha|beta)\d*)?(?=/))*")
"""What official SDKs and base URLs put before a path, once or twice: `/v1`, `/openai/v1`, `/api/paas/v4`."""
VERSION_END = re.compile(r"(?:/openai|/api|/inference)?(?:/paas)?/v\d+(?:(?:alpha|beta)\d*)?$")


class Reader(Protocol):
    """Folds the JSON documents of ONE answer: its whole body, or each event of its stream, to the same reading.

    `terminal` turns true with the document that ends a stream (`response.completed`, `message_stop`).
    """

    terminal: bool

    def read(self, document: Any) -> None:
        """Take one more document. Never raises, whatever JSON it is."""

    def skim(self, event: bytes) -> bool:
        """Whether an event is nothing but a piece of text, which is counted now: `read` need not see it."""

    def again(self, event: bytes) -> bool:
        """Whether an event is the one skimmed last with another text, which is counted now."""

    def reading(self) -> Reading:
        """What was learnt so far."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One call that a provider takes. `kind` names it on the event; `pattern` matches the provider's own path.

    `method` is empty where any is meant.

    `metered`: makes an event. `free`: makes an event of cost 0. `asks_usage`: a stream reports its usage only when
    `stream_options.include_usage` asks for it. `estimable`: text goes in and out, so that an answer without usage can
    be estimated by length; otherwise its cost stays unknown. `untold`: its answers may not say what they used, so that
    it has no price, and nothing bounds it under a hard cap. `refusal`: not forwarded, and this is why. `later` says of
    one request (the parsed body) that its answer holds no usage yet, so that nothing can be estimated from it. `form`:
    the body is multipart/form-data. `dialect` and `bearer` are set where a provider speaks a second dialect. `limits`
    are the places in the body of a limit of the output that the provider honours, the one to use first; `usual_output`
    is the provider's own limit where a request has none, 0 where it has none either; `usual_model` is the model that
    answers where a request names none, empty where it must.
    """

    kind: str
    method: str
    pattern: re.Pattern[str]
    reader: Callable[[], Reader]
    metered: bool = True
    free: bool = False
    asks_usage: bool = False
    estimable: bool = True
    stream: bool | None = None
    untold: bool = False
    refusal: str = ""
    later: Callable[[Mapping[str, Any]], bool] | None = None
    dialect: str = ""
    bearer: bool = False
    form: bool = False
    limits: tuple[tuple[str, ...], ...] = ()
    usual_output: int = 0
    usual_model: str = ""


@dataclass(frozen=True, slots=True)
class Route:
    """A call that was found. `path` is the provider's own, version included, without query.

    `model` is empty, and `stream` None, where they stand in the body.
    """

    endpoint: Endpoint
    path: str
    model: str = ""
    stream: bool | None = None


class OwnAddress(NamedTuple):
    """The address that each account of a provider has for itself.

    `read` makes it from whatever address was pasted, `help` says where to find it, in a sentence.
    """

    read: Callable[[str], str]
    help: str


@dataclass(frozen=True, slots=True)
class Provider:
    """A provider. `base_url` has no version: paths bring it; `prefix` is the version that paths begin with by default.

    `own_path` turns the path a client sent, with or without a version, into the provider's own. `key_header` and
    `key_prefix` say how the provider's key is sent, `key_in_query` that its SDKs may send it as `?key=`;
    `catalogue` is its id in the price catalogue, empty: no prices. `priced_as_asked`: the model that was asked for
    decides the price before the one that answered. `account` reads a stored key that is more than a word to send along;
    it raises ValueError, with a sentence for the person who pasted it. `own_address` is set where `base_url` is empty,
    since each account has another. `probe` is a free call that shows whether a key works, where the list of models does
    not: it needs no key, or there is none.
    """

    slug: str
    label: str
    dialect: str
    base_url: str
    prefix: str
    own_path: Callable[[str], str]
    endpoints: tuple[Endpoint, ...]
    catalogue: str = ""
    key_header: bytes = b"authorization"
    key_prefix: bytes = b"Bearer "
    extra_headers: tuple[tuple[bytes, bytes], ...] = ()
    key_in_query: bool = False
    priced_as_asked: bool = False
    account: Callable[[str], Account] | None = None
    own_address: OwnAddress | None = None
    probe: Probe | None = None
    _routes: dict[tuple[str, str], Route] = field(default_factory=dict, repr=False, compare=False)

    def route(self, method: str, path: str) -> Route | None:
        """The call behind `/proxy/{slug}`: `path` is raw, without query. None: not on the list."""
        found = self._routes.get((method, path))
        if found is None and (found := self._find(method, path)) is not None:
            if len(self._routes) >= MOST_CACHED_ROUTES:
                self._routes.clear()
            self._routes[method, path] = found
        return found

    def _find(self, method: str, path: str) -> Route | None:
        if ".." in path or not SAFE_PATH.fullmatch(path):
            return None
        own = self.own_path(path.removesuffix("/"))
        for endpoint in self.endpoints:
            if endpoint.method in (method, "") and (match := endpoint.pattern.fullmatch(own)):
                return Route(endpoint, own, unquote(match.groupdict().get("model") or ""), endpoint.stream)
        return None

    def key(self, endpoint: Endpoint, secret: bytes) -> tuple[bytes, bytes]:
        """The header, name and value, that carries the provider's key."""
        if endpoint.bearer:
            return b"authorization", b"Bearer " + secret
        return self.key_header, self.key_prefix + secret

    def target(self, base_path: str, route: Route) -> str:
        """The path to ask for at a base URL whose own path is `base_path` and may end in a version already."""
        base_path = base_path.rstrip("/")
        return (VERSION_END.sub("", base_path) if self.prefix else base_path) + route.path


def under(prefix: str) -> Callable[[str], str]:
    """An `own_path` for a provider with one version: whatever versions a path begins with become `prefix`."""

    def own_path(path: str) -> str:
        match = VERSIONS.match(path)
        return prefix + (path[match.end() :] if match else path)

    return own_path
