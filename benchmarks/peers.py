"""What is called in a run: the provider itself, and before it nginx, or an event loop that does nothing but relay."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
from support import ROOT, await_answer, free_port, started

TAGS = {"client": "acme-corp", "project": "website", "env": "production"}
SDK_HEADERS = {
    "accept": "application/json",
    "accept-encoding": "gzip, deflate",
    "content-type": "application/json",
    "user-agent": "OpenAI/Python 2.8.1",
    "x-stainless-arch": "x64",
    "x-stainless-async": "false",
    "x-stainless-lang": "python",
    "x-stainless-os": "Linux",
    "x-stainless-package-version": "2.8.1",
    "x-stainless-retry-count": "0",
    "x-stainless-runtime": "CPython",
    "x-stainless-runtime-version": "3.11.7",
}
"""As OpenAI's Python SDK sends them."""

NGINX = """
daemon off; pid {folder}/nginx.pid; error_log stderr error; {user}
worker_processes 1; worker_rlimit_nofile {files};
events {{ worker_connections {files}; }}
http {{
  access_log off; keepalive_requests 100000000; client_body_buffer_size 64k;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  upstream provider {{ server 127.0.0.1:{provider}; keepalive 512; keepalive_requests 100000000; }}
  server {{
    listen 127.0.0.1:{port} backlog=8192;
    location / {{
      proxy_pass http://provider; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_buffering off; proxy_read_timeout 300s;
    }}
  }}
}}
"""


@dataclass(frozen=True, slots=True)
class Target:
    """Something that answers calls on a loopback port; process: what is measured, None for the provider itself."""

    name: str
    port: int
    path: str = "/v1/chat/completions"
    key: str = "mk_none"
    process: psutil.Process | None = None

    def request(self, body: dict[str, object]) -> bytes:
        """A whole request with a body, as an SDK with the tags header sends it."""
        content = json.dumps(body, separators=(",", ":")).encode()
        headers = {
            "host": f"127.0.0.1:{self.port}",
            **SDK_HEADERS,
            "authorization": f"Bearer {self.key}",
            "x-metering-tags": json.dumps(TAGS),
            "content-length": str(len(content)),
        }
        lines = [f"POST {self.path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
        return "\r\n".join(lines).encode() + content


def chat(stream: str = "") -> dict[str, object]:
    """The body of a call, about 1 KB; stream orders the events: 'events=100;gap=10000', the gap in microseconds."""
    words = "Write one short note for the client about last week's work, in plain words. " * 10
    messages = [{"role": "system", "content": "You are a helpful assistant."}, {"role": "user", "content": words}]
    body: dict[str, object] = {"model": "gpt-4o-mini", "messages": messages, "max_tokens": 400, "temperature": 0.7}
    return {**body, "stream": True, "user": stream} if stream else body


@contextlib.contextmanager
def nginx(folder: Path, provider: int, processor: int) -> Iterator[Target | None]:
    """nginx on a free port: keep-alive to the provider, no buffering, no log. None where nginx is not installed."""
    program = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if program is None:
        print("nginx is not installed: the figures stand without their peer.")
        yield None
        return
    home = folder / "nginx"
    home.mkdir()
    port = free_port()
    user = "user root;" if os.geteuid() == 0 else ""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    text = NGINX.format(folder=home, user=user, files=files, provider=provider, port=port)
    (home / "nginx.conf").write_text(text)
    log = home / "nginx.log"
    command = [program, "-p", str(home), "-e", "stderr", "-c", str(home / "nginx.conf")]
    with started(command, log, processor) as process:
        await_answer(port, "/", process, log)
        yield Target("nginx", port, process=process)


@contextlib.contextmanager
def relay(folder: Path, provider: int, processor: int) -> Iterator[Target]:
    """The floor: relay.py on a free port."""
    port = free_port()
    log = folder / "relay.log"
    command = [sys.executable, str(ROOT / "benchmarks" / "relay.py"), str(port), str(provider)]
    with started(command, log, processor) as process:
        await_answer(port, "/", process, log)
        yield Target("relay", port, process=process)
