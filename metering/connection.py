"""Whether a stored key works: one free call to the provider, and what its answer means."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from metering.credentials import provider_of, secret_of
from metering.models import ProviderCredential
from tokonomics import outbound
from tokonomics.crypto import Undecryptable


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a test showed, in a sentence. `status` is 0 where no answer came; nothing of the answer's body is kept."""

    works: bool
    text: str
    status: int = 0
    milliseconds: int = 0


def try_connection(credential: ProviderCredential, network: outbound.Network = outbound.INTERNET) -> Verdict:
    """Ask the provider for its list of models, which costs nothing."""
    try:
        secret = secret_of(credential)
    except Undecryptable:
        return Verdict(works=False, text="The stored key cannot be read any more. Enter it again.")
    request = _request(credential, secret)
    if request is None:
        return Verdict(works=False, text="This provider has no free call to test with. Its first real call will show.")
    url, headers = request
    try:
        answer = outbound.call("GET", url, headers=headers, network=network)
    except outbound.OutboundError as error:
        return Verdict(works=False, text=f"{error} Check the base URL." if credential.base_url else str(error))
    return Verdict(answer.status < 300, _meaning(answer.status, credential), answer.status, answer.milliseconds)


def _request(credential: ProviderCredential, secret: str) -> tuple[str, dict[str, str]] | None:
    provider = provider_of(credential)
    route = provider.route("GET", "/models")
    if route is None:
        return None
    base = urlsplit(credential.base_url or provider.base_url)
    headers = dict(provider.extra_headers)
    if secret:
        headers.update([provider.key(route.endpoint, secret.encode())])
    url = f"{base.scheme}://{base.netloc}{provider.target(base.path, route)}"
    return url, {name.decode(): value.decode() for name, value in headers.items()}


def _meaning(status: int, credential: ProviderCredential) -> str:
    if status < 300:
        return "Works."
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
