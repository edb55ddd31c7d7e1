"""Reading a price list from an address that the operator gave to a command; nothing here runs by itself."""

from __future__ import annotations

from urllib.parse import urlsplit

import httpx2

from billing.price_files import MOST_BYTES, BadPriceFile

SECONDS = httpx2.Timeout(30, connect=10)
MOST_REDIRECTS = 5


def download(url: str) -> bytes:
    """The document at an http or https URL, redirects followed; raises BadPriceFile with the reason."""
    if urlsplit(url).scheme not in ("http", "https"):
        raise BadPriceFile("Give an address that begins with https:// or http://.")
    try:
        with (
            httpx2.Client(timeout=SECONDS, follow_redirects=True, max_redirects=MOST_REDIRECTS) as client,
            client.stream("GET", url) as response,
        ):
            response.raise_for_status()
            return _read(response)
    except httpx2.HTTPStatusError as error:
        raise BadPriceFile(f"{url} answers {error.response.status_code}.") from error
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise BadPriceFile(f"{url} cannot be read: {error}") from error


def _read(response: httpx2.Response) -> bytes:
    found = bytearray()
    for chunk in response.iter_bytes():
        found += chunk
        if len(found) > MOST_BYTES:
            raise BadPriceFile(f"The document is larger than {MOST_BYTES // 1024 // 1024} MiB.")
    return bytes(found)
