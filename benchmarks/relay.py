"""The floor under any gateway in this language: uvloop and llhttp between a client and a provider, and nothing else.

python benchmarks/relay.py PORT PROVIDER_PORT

Passes the bytes of requests and answers on as they are, and only looks where they end. For the benchmarks.
"""

from __future__ import annotations

import asyncio
import sys
from typing import cast

import httptools
import uvloop

HOST = "127.0.0.1"


class Caller(asyncio.Protocol):
    """A client's connection; one request at a time."""

    def __init__(self, provider: int, idle: list[Provider]) -> None:
        self.provider = provider
        self.idle = idle
        self.parser = httptools.HttpRequestParser(self)
        self.pieces: list[bytes] = []
        self.transport: asyncio.Transport
        self.opening: asyncio.Task[None]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self.pieces.append(data)
        self.parser.feed_data(data)

    def on_message_complete(self) -> None:
        request, self.pieces = b"".join(self.pieces), []
        if self.idle:
            self.idle.pop().send(request, self)
        else:
            self.opening = asyncio.get_running_loop().create_task(self._open(request))

    async def _open(self, request: bytes) -> None:
        loop = asyncio.get_running_loop()
        _, provider = await loop.create_connection(lambda: Provider(self.idle), HOST, self.provider)
        provider.send(request, self)


class Provider(asyncio.Protocol):
    """A connection to the provider, kept for the next request."""

    def __init__(self, idle: list[Provider]) -> None:
        self.idle = idle
        self.parser = httptools.HttpResponseParser(self)
        self.caller: Caller
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def send(self, request: bytes, caller: Caller) -> None:
        """Send a whole request; its answer goes to the caller."""
        self.caller = caller
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        self.caller.transport.write(data)
        self.parser.feed_data(data)

    def on_message_complete(self) -> None:
        self.idle.append(self)


async def serve(port: int, provider: int) -> None:
    """Relay until somebody stops the process."""
    idle: list[Provider] = []
    server = await asyncio.get_running_loop().create_server(lambda: Caller(provider, idle), HOST, port, backlog=8192)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1]), int(sys.argv[2])))
