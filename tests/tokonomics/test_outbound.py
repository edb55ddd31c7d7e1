from __future__ import annotations

import ast
import gzip
import itertools
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from pytest_django import Settings

from tokonomics import outbound
from tokonomics.outbound import Network, Refused, TimedOut, Unreachable, call, check_url

Serve = Callable[[bytes], str]


@pytest.fixture(autouse=True)
def laptop(settings: Settings) -> None:
    settings.ALLOW_PRIVATE_ADDRESSES = True


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Answer the next connection with these bytes; gives the URL. What was asked is kept in `serve.asked`."""
    sockets: list[socket.socket] = []

    def start(answer: bytes, *, pause: float = 0) -> str:
        listener = socket.create_server(("127.0.0.1", 0))
        sockets.append(listener)

        def answer_one() -> None:
            connection, _ = listener.accept()
            with closing(connection):
                start.asked = connection.recv(65536)  # type: ignore[attr-defined]
                try:
                    for byte in (answer[i : i + 1] for i in range(len(answer))) if pause else (answer,):
                        connection.sendall(byte)
                        time.sleep(pause)
                except OSError:
                    pass  # the caller had enough

        threading.Thread(target=answer_one, daemon=True).start()
        return f"http://127.0.0.1:{listener.getsockname()[1]}/v1/models"

    yield start
    for listener in sockets:
        listener.close()


def answer(body: bytes, status: str = "200 OK", headers: str = "") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode() + body


def test_an_answer_has_its_status_and_body(serve: Serve) -> None:
    found = call("GET", serve(answer(b"{}", "401 Unauthorized")), headers={"Authorization": "Bearer sk"})
    assert (found.status, found.body) == (401, b"{}")
    assert found.milliseconds >= 0


def test_the_request_is_what_was_asked_for_and_no_cookie_or_proxy_header(serve: Serve) -> None:
    call("GET", serve(answer(b"")), headers={"Authorization": "Bearer sk"})
    head = serve.asked.decode().lower()  # type: ignore[attr-defined]
    assert head.startswith("get /v1/models http/1.1\r\nhost: 127.0.0.1:")
    assert "authorization: bearer sk\r\n" in head
    assert "accept-encoding: identity\r\n" in head
    assert "cookie" not in head


def test_a_proxy_of_the_environment_has_no_say(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    assert call("GET", serve(answer(b"ok"))).body == b"ok"


def test_a_redirect_is_an_answer_and_is_not_followed(serve: Serve) -> None:
    found = call("GET", serve(answer(b"", "302 Found", "Location: http://169.254.169.254/\r\n")))
    assert found.status == 302


def test_a_body_is_cut_at_its_limit(serve: Serve) -> None:
    assert len(call("GET", serve(answer(b"x" * 1_000_000))).body) == outbound.READ_LIMIT


def test_a_compressed_body_is_not_unpacked(serve: Serve) -> None:
    packed = gzip.compress(b"x" * 1_000_000)
    assert call("GET", serve(answer(packed, headers="Content-Encoding: gzip\r\n"))).body == packed


@pytest.mark.parametrize("part", [answer(b"slow"), b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nslow body"])
def test_a_server_that_drips_is_cut_off_in_all(serve: Serve, part: bytes) -> None:
    with pytest.raises(TimedOut, match="No answer within"):
        call("GET", serve(part, pause=0.1), network=Network(total_seconds=0.5))  # type: ignore[call-arg]


def test_a_name_server_that_hangs_is_cut_off() -> None:
    release = threading.Event()

    def hang(host: str, port: int) -> list[str]:
        release.wait(10)
        return []

    with pytest.raises(TimedOut):
        call("GET", "http://llm.example.com/", network=Network(hang, total_seconds=0.2))
    release.set()


def test_nothing_listens() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(Unreachable, match="Nothing answers"):
        call("GET", f"http://127.0.0.1:{port}/")


def test_an_unknown_name() -> None:
    def unknown(host: str, port: int) -> list[str]:
        raise socket.gaierror

    with pytest.raises(Unreachable, match=r"The name llm\.example\.com is not known"):
        call("GET", "http://llm.example.com/", network=Network(unknown))


def test_something_that_is_not_http(serve: Serve) -> None:
    with pytest.raises(outbound.Malformed):
        call("GET", serve(b"220 mail.example.com ESMTP\r\n"))


def test_a_connection_that_is_cut(serve: Serve) -> None:
    with pytest.raises(outbound.OutboundError):
        call("GET", serve(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"))


def test_a_certificate_that_does_not_fit(serve: Serve) -> None:
    with pytest.raises(outbound.Insecure):
        call("GET", serve(answer(b"")).replace("http:", "https:"))


def test_the_second_address_is_tried_when_the_first_is_silent(serve: Serve) -> None:
    found = call("GET", serve(answer(b"ok")).replace("127.0.0.1", "llm.example.com"), network=Network(both))
    assert found.body == b"ok"


def both(host: str, port: int) -> list[str]:
    return ["127.0.0.2", "127.0.0.1"]


@pytest.mark.parametrize(
    "addresses", [["127.0.0.1"], ["10.0.0.1"], ["8.8.8.8", "192.168.1.1"], ["::1"], ["fe80::1%lo"], ["169.254.169.254"]]
)
def test_a_name_that_leads_inside_is_refused(settings: Settings, addresses: list[str]) -> None:
    settings.ALLOW_PRIVATE_ADDRESSES = False
    with pytest.raises(Refused, match=r"llm\.example\.com is not a host on the internet"):
        call("GET", "https://llm.example.com/", network=Network(lambda host, port: addresses))


def test_a_name_is_resolved_once_so_that_it_cannot_change_between_check_and_connect(serve: Serve) -> None:
    answers = itertools.chain([["127.0.0.1"]], itertools.repeat(["169.254.169.254"]))
    url = serve(answer(b"first")).replace("127.0.0.1", "llm.example.com")
    assert call("GET", url, network=Network(lambda host, port: next(answers))).body == b"first"
    with pytest.raises(Refused):
        call("GET", url, network=Network(lambda host, port: next(answers)))


def test_this_site_itself_is_no_provider(settings: Settings) -> None:
    settings.PUBLIC_URL = "http://127.0.0.1:8000"
    with pytest.raises(ValueError, match="this site's own"):
        check_url("http://127.0.0.1:8000/proxy/openai")
    assert check_url("http://127.0.0.1:8001/v1/") == "http://127.0.0.1:8001/v1"


def test_private_urls_need_the_setting(settings: Settings) -> None:
    settings.ALLOW_PRIVATE_ADDRESSES = False
    with pytest.raises(ValueError, match="must start with https"):
        check_url("http://llm.example.com/v1")


CLIENTS = {
    "aiohttp",
    "http.client",
    "httpcore",
    "httpcore2",
    "httpx",
    "httpx2",
    "requests",
    "urllib.request",
    "urllib3",
}


def imports(path: Path) -> set[str]:
    """The modules that a file imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {str(node.module), *(f"{node.module}.{name.name}" for name in node.names)}
    return found


def test_nothing_else_calls_out() -> None:
    root = Path(outbound.__file__).parents[1]
    files = [path for app in ("tokonomics", "metering", "billing") for path in (root / app).rglob("*.py")]
    calling = {str(path.relative_to(root)) for path in files if imports(path) & CLIENTS}
    asks_whether_we_serve = {"tokonomics/parts.py"}
    where_the_operator_says = {"billing/price_downloads.py"}
    assert calling == {"tokonomics/outbound.py"} | asks_whether_we_serve | where_the_operator_says
