"""The provider of the fault tests, in OpenAI's dialect: a process of its own that outlives every fault.

It writes down each call in its journal before it answers, so that what reached it is known whatever happens then.
`python -m tests.faults.provider JOURNAL` prints its port and serves until it is killed.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import sys
import time
from asyncio import StreamReader, StreamWriter
from dataclasses import asdict
from typing import Any

from tests.faults.journals import Journal
from tests.faults.plans import BROKEN, MUTE, REFUSING, RESET, SILENT, Plan, Usage, plan_of

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: %b\r\n%b\r\n\r\n"
SILENCE_SECONDS = 120


class Conversation:
    """One connection: reads a request, writes it down, answers as its plan says, and again."""

    def __init__(self, journal: Journal, reader: StreamReader, writer: StreamWriter) -> None:
        self.journal = journal
        self.reader = reader
        self.writer = writer

    async def hold(self) -> None:
        """Until either side has had enough."""
        try:
            while await self._answer():
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self.writer.close()

    async def _answer(self) -> bool:
        """Answer one request; whether the connection can carry another."""
        headers, body = await self._read()
        plan = plan_of(body)
        usage, status = plan.usage(), REFUSING.get(plan.end, 200)
        entry = {"run": plan.run, "call": plan.call, "id": headers["x-request-id"], "model": body["model"]}
        self.journal.write(**entry, **asdict(usage), status=status, end=plan.end, at=time.time())
        if status != 200:
            await self._refuse(status)
        elif body.get("stream"):
            asked = body.get("stream_options", {}).get("include_usage", False)
            await self._stream(plan, body["model"], usage if asked else None)
        else:
            await self._reply(plan, body["model"], usage)
        if plan.end in BROKEN:
            await self._break(plan.end)
        return plan.end not in BROKEN

    async def _read(self) -> tuple[dict[str, str], dict[str, Any]]:
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
        lines = [line.partition(":") for line in head.split("\r\n")[1:] if line]
        headers = {name.lower(): value.strip() for name, _, value in lines}
        return headers, json.loads(await self.reader.readexactly(int(headers["content-length"])))

    async def _refuse(self, status: int) -> None:
        body = b'{"error":{"message":"not now","type":"server_error","param":null,"code":null}}'
        head = (
            f"HTTP/1.1 {status} No\r\ncontent-type: application/json\r\nretry-after: 1\r\ncontent-length: {len(body)}"
        )
        self.writer.write(head.encode() + b"\r\n\r\n" + body)
        await self.writer.drain()

    async def _reply(self, plan: Plan, model: str, usage: Usage) -> None:
        message = {"role": "assistant", "content": "word " * plan.pieces}
        body = _document(model, choices=[{"index": 0, "message": message, "finish_reason": "stop"}], usage=_told(usage))
        await asyncio.sleep(plan.seconds)
        if plan.end == MUTE:
            return
        sent = body if plan.end not in BROKEN else body[: len(body) // 2]
        self.writer.write(HEAD % (b"application/json", b"content-length: %d" % len(body)) + sent)
        await self.writer.drain()

    async def _stream(self, plan: Plan, model: str, usage: Usage | None) -> None:
        if plan.end == MUTE:
            return
        self.writer.write(HEAD % (b"text/event-stream", b"transfer-encoding: chunked"))
        pieces = plan.pieces if plan.end not in BROKEN else plan.pieces // 2
        for number in range(pieces):
            await self._event(_document(model, choices=[{"index": 0, "delta": {"content": f"word{number} "}}]))
            await asyncio.sleep(plan.seconds / plan.pieces)
        if plan.end in BROKEN:
            return
        await self._event(_document(model, choices=[{"index": 0, "delta": {}, "finish_reason": "stop"}]))
        if usage is not None:
            await self._event(_document(model, choices=[], usage=_told(usage)))
        await self._chunk(b"data: [DONE]\n\n")
        self.writer.write(b"0\r\n\r\n")
        await self.writer.drain()

    async def _event(self, document: bytes) -> None:
        await self._chunk(b"data: " + document + b"\n\n")

    async def _chunk(self, data: bytes) -> None:
        self.writer.write(b"%x\r\n%b\r\n" % (len(data), data))
        await self.writer.drain()

    async def _break(self, end: str) -> None:
        if end in {SILENT, MUTE}:
            await asyncio.wait([asyncio.ensure_future(self.reader.read())], timeout=SILENCE_SECONDS)
        elif end == RESET:
            self.writer.get_extra_info("socket").setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
            )
            self.writer.transport.abort()


def _document(model: str, **fields: Any) -> bytes:
    return json.dumps({"id": "chatcmpl-1", "created": 1, "model": model, **fields}).encode()


def _told(usage: Usage) -> dict[str, Any]:
    """Usage in OpenAI's words."""
    return {
        "prompt_tokens": usage.input,
        "completion_tokens": usage.output,
        "total_tokens": usage.input + usage.output,
        "prompt_tokens_details": {"cached_tokens": usage.cached},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning},
    }


async def serve(journal: Journal) -> None:
    """Listen on a free port and say which."""

    async def welcome(reader: StreamReader, writer: StreamWriter) -> None:
        await Conversation(journal, reader, writer).hold()

    server = await asyncio.start_server(welcome, "127.0.0.1", 0, backlog=512)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(Journal(sys.argv[1])))
