"""Whether a stored key works: one free call to the provider, and what its answer means."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from django.utils import timezone

from metering.access_tokens import TokenError, fetch_token
from metering.credentials import account_of, provider_of, secret_of
from metering.models import ProviderCredential
from metering.providers.account import Account, Outgoing, Probe
from metering.providers.base import Route
from tokonomics import outbound
from tokonomics.crypto import Undecryptable

MODELS = Probe("GET", "/models", b"")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a test showed, in a sentence. `status` is 0 where no answer came; nothing of the answer's body is kept."""

    works: bool
    text: str
    status: int = 0
    milliseconds: int = 0


def try_connection(credential: ProviderCredential, network: outbound.Network = outbound.INTERNET) -> Verdict:
    """Make a call that costs nothing: ask for the list of models, where the provider has one that shows the key."""
    try:
        request = _request(credential, network)
    except (Undecryptable, ValueError):
        return Verdict(works=False, text="The stored key cannot be read any more. Enter it again.")
    except TokenError as error:
        return Verdict(works=False, text=str(error))
    if request is None:
        return Verdict(works=False, text="This provider has no free call to test with. Its first real call will show.")
    try:
        answer = outbound.call(
            request.method, request.url, headers=request.headers, content=request.body, network=network
        )
    except outbound.OutboundError as error:
        return Verdict(works=False, text=f"{error} Check the base URL." if credential.base_url else str(error))
    works = answer.status < 300 or answer.status in request.works
    text = "Works." if works else _meaning(answer, credential, request.account)
    return Verdict(works, text, answer.status, answer.milliseconds)


@dataclass(frozen=True, slots=True)
class _Request:
    """A free call; `works` are the statuses beside 2xx that show a working key."""

    method: str
    url: str
    headers: dict[str, str]
    body: bytes = b""
    works: frozenset[int] = frozenset()
    account: Account | None = None


def _request(credential: ProviderCredential, network: outbound.Network) -> _Request | None:
    """Raises Undecryptable, ValueError for a key that cannot be read, and TokenError."""
    account = account_of(credential)
    if account is not None:
        return _probe(credential, account, network)
    provider = provider_of(credential)
    probe = provider.probe or MODELS
    route = provider.route("GET", probe.path) if probe is MODELS else Route(provider.endpoints[0], probe.path)
    if route is None:
        return None
    base = urlsplit(credential.base_url or provider.base_url)
    headers = dict(provider.extra_headers)
    if probe.body:
        headers[b"content-type"] = b"application/json"
    if secret := secret_of(credential):
        headers.update([provider.key(route.endpoint, secret.encode())])
    url = f"{base.scheme}://{base.netloc}{provider.target(base.path, route)}"
    told = {name.decode(): value.decode() for name, value in headers.items()}
    return _Request(probe.method, url, told, probe.body, probe.works)


def _probe(credential: ProviderCredential, account: Account, network: outbound.Network) -> _Request:
    """The call that an account names, authorised like any other."""
    provider, probe = provider_of(credential), account.probe()
    route = provider.route(probe.method, probe.path)
    assert route is not None, probe.path
    base = urlsplit(credential.base_url or account.base_url(route))
    target = provider.target(base.path, route)
    if account.grant is None:
        outgoing = Outgoing(probe.method.encode(), base.netloc.encode(), target.encode(), probe.body)
        lines = account.sign(outgoing, route, timezone.now()).decode().splitlines()
    else:
        lines = [f"authorization: Bearer {fetch_token(account.grant, network).value}"]
    headers = {name: value for name, _, value in (line.partition(": ") for line in lines)}
    headers["content-type"] = "application/json"
    url = f"{base.scheme}://{base.netloc}{target}"
    return _Request(probe.method, url, headers, probe.body, probe.works, account)


def _meaning(answer: outbound.Answer, credential: ProviderCredential, account: Account | None) -> str:
    status = answer.status
    if status == 403 and account is not None and not account.rejected(status, answer.headers, answer.body):
        return "The provider knows this key, but it may not call models (HTTP 403). Check its permissions there."
    if status < 400:
        return f"The server redirects (HTTP {status}). Enter the address that it redirects to."
    if status in (401, 403):
        return f"The provider rejects this key (HTTP {status}). Replace it with one that is valid there."
    if status == 404 and credential.base_url:
        return "The server answers, but not with a list of models (HTTP 404). Check the path of the base URL."
    if status == 429:
        return "The provider knows the key but refuses more calls (HTTP 429). Check its credit and limits there."
    if status >= 500:
        return f"The provider fails at the moment (HTTP {status}). Try again in a minute."
    return f"The provider refuses the test (HTTP {status}). Check the key and the base URL."
