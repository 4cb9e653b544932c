"""Steps of type `http`, against a real server, and what they refuse to ask."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import quote, unquote

import pytest

from executor_service import Allowlist, RunFailed
from executor_service.errors import HostNotAllowed
from executor_service.library.runner import create_pipeline_from_json
from executor_service.steps.http_policy import HttpPolicy


class Answers(BaseHTTPRequestHandler):
    """Answers by the path: a status, a redirect, an endless body, or what it was sent."""

    protocol_version = "HTTP/1.1"
    seen: list[dict[str, Any]]
    statuses: list[int]

    def answer(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        told = {
            "method": self.command, "path": self.path, "body": self.rfile.read(length).decode(),
            "headers": {name.lower(): value for name, value in self.headers.items()},
        }  # fmt: skip
        self.seen.append(told)
        if self.path.startswith("/to/"):
            self.reply(302, b"", location=self.path.removeprefix("/to/"))
        elif self.path == "/loop":
            self.reply(302, b"", location="/loop")
        elif self.path == "/flaky":
            self.reply(self.statuses.pop(0) if self.statuses else 200, b"{}")
        elif self.path == "/endless":
            self.endless()
        elif self.path.startswith("/says/"):
            self.reply(200, unquote(self.path[6:]).encode())
        elif self.path.startswith("/status/"):
            self.reply(int(self.path[8:]), b'{"no": true}')
        else:
            self.reply(200, json.dumps(told).encode())

    do_GET = do_POST = do_PUT = do_DELETE = answer  # noqa: N815 - the names http.server asks for

    def reply(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def endless(self) -> None:
        self.send_response(200)
        self.send_header("connection", "close")
        self.end_headers()
        try:
            while True:
                self.wfile.write(b"x" * 10_000)
        except OSError:
            self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name it has there
        """Say nothing."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Return the address of a server on this machine, which the settings allow."""
    Answers.seen, Answers.statuses = [], []
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=httpd.serve_forever, daemon=True)
    thread.start()
    monkeypatch.setenv("STEPLOG_HTTP_PRIVATE_HOSTS", "127.0.0.1, localhost")
    yield f"http://127.0.0.1:{httpd.server_address[1]}"
    httpd.shutdown()
    httpd.server_close()
    thread.join()


async def asked(url: str, given: Any = None, **settings: Any) -> Any:
    """Run one http step and return its response."""
    definition = {
        "name": "p",
        "steps": [{"id": "call", "type": "http", "url": url, **settings}],
        "flow": {"start_at": "call"},
    }
    pipeline = create_pipeline_from_json(definition, allowlist=Allowlist())
    return (await pipeline.run(given, execution_id="e-1"))["output"]["response"]


async def test_a_request_carries_body_headers_and_the_visits_key(server: str) -> None:
    response = await asked(
        f"{server}/orders?of={{{{ who }}}}", {"who": "ida", "token": "t"}, method="POST",
        headers={"Authorization": "Bearer {{ token }}"}, body={"amount": 3},
    )  # fmt: skip

    told = response["body"]
    assert (response["status"], told["method"], told["path"]) == (200, "POST", "/orders?of=ida")
    assert json.loads(told["body"]) == {"amount": 3}
    assert told["headers"]["authorization"] == "Bearer t"
    assert told["headers"]["idempotency-key"] == "e-1:call:1"


@pytest.mark.parametrize(
    ("settings", "failure"),
    [
        ({}, "not on the allowlist"),
        ({"STEPLOG_HTTP_HOSTS": "127.0.0.1"}, "has the address 127.0.0.1, which is no public one"),
        ({"STEPLOG_HTTP_HOSTS": "localhost"}, "not on the allowlist"),
    ],
)
async def test_a_host_is_asked_only_where_a_setting_allows_it(
    server: str, monkeypatch: pytest.MonkeyPatch, settings: dict[str, str], failure: str
) -> None:
    monkeypatch.delenv("STEPLOG_HTTP_PRIVATE_HOSTS")
    for name, value in settings.items():
        monkeypatch.setenv(name, value)

    with pytest.raises(RunFailed, match=failure):
        await asked(server)

    assert Answers.seen == []


@pytest.mark.parametrize(
    "url",
    ["gopher://127.0.0.1/", "ftp://127.0.0.1/", "http://", "http://[bad", "//x", "x", "http:///y"],
)  # fmt: skip
async def test_what_is_no_http_address_is_not_asked(server: str, url: str) -> None:
    with pytest.raises(RunFailed, match="is no address"):
        await asked(url)


async def test_a_redirect_on_an_allowed_host_is_followed_and_one_off_it_is_not(server: str) -> None:
    inside = await asked(f"{server}/to//inside")

    with pytest.raises(RunFailed, match=r"elsewhere\.example' is not on the allowlist"):
        await asked(f"{server}/to/http://elsewhere.example/x")

    assert inside["body"]["path"] == "/inside"


async def test_a_redirect_to_another_host_takes_no_secrets_along(server: str) -> None:
    port = server.rpartition(":")[2]

    response = await asked(
        f"{server}/to/http://localhost:{port}/there", headers={"Authorization": "secret"}
    )

    assert response["body"]["path"] == "/there"
    assert "authorization" not in response["body"]["headers"]
    assert response["body"]["headers"]["host"] == f"localhost:{port}"


async def test_a_redirect_that_is_expected_is_a_result(server: str) -> None:
    response = await asked(f"{server}/to//inside", expect=[302])

    assert (response["status"], response["headers"]["location"]) == (302, "/inside")


async def test_a_redirect_elsewhere_takes_no_header_of_the_definitions_along(server: str) -> None:
    port = server.rpartition(":")[2]

    response = await asked(
        f"{server}/to/http://localhost:{port}/there", headers={"X-Api-Key": "s", "Accept": "a/b"}
    )

    assert "x-api-key" not in response["body"]["headers"]
    assert response["body"]["headers"]["accept"] == "a/b"


@pytest.mark.parametrize("target", ["http://[bad", "http://127.0.0.1:99999/", "ftp://127.0.0.1/"])
async def test_a_redirect_to_no_address_is_not_followed(server: str, target: str) -> None:
    with pytest.raises(RunFailed, match="is no address"):
        await asked(f"{server}/to/{target}")


async def test_what_a_template_puts_into_an_address_is_quoted(server: str) -> None:
    response = await asked(f"{server}/of?{{{{ who }}}}", {"who": "é \r\nEvil: 1"})

    assert response["body"]["path"] == "/of?%C3%A9%20%0D%0AEvil:%201"
    assert "evil" not in response["body"]["headers"]


@pytest.mark.parametrize(
    ("headers", "failure"),
    [
        ({"X-A": "a\r\nEvil: 1"}, "characters that can't be sent"),
        ({"X-A": "\x7f"}, "characters that can't be sent"),
        ({"X A": "a"}, "can't be sent"),
        ({"Transfer-Encoding": "chunked"}, "is made by steplog"),
        ({"Host": "elsewhere.example"}, "is made by steplog"),
    ],
)
async def test_a_header_says_nothing_of_how_a_request_is_sent(
    server: str, headers: dict[str, str], failure: str
) -> None:
    with pytest.raises(RunFailed, match=failure):
        await asked(server, headers=headers)

    assert Answers.seen == []


@pytest.mark.parametrize(
    "body", ['{"a": NaN}', "1e999", '"\\ud800"', "[" * 99 + "]" * 99, "[" * 9_000, "9" * 5_000]
)
async def test_json_that_no_result_can_hold_is_text(server: str, body: str) -> None:
    assert (await asked(f"{server}/says/{quote(body)}"))["body"] == body


@pytest.mark.parametrize("host", ["a" * 70, "a..b", "a b"])
async def test_a_name_that_no_host_can_have_is_not_known(
    server: str, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    monkeypatch.setenv("STEPLOG_HTTP_HOSTS", "*.localhost")

    with pytest.raises(RunFailed, match=r"is not known\.$"):
        await asked("http://{{ host }}.localhost/", {"host": host})


async def test_redirects_without_end_are_given_up(server: str) -> None:
    with pytest.raises(RunFailed, match="more than 5 times"):
        await asked(f"{server}/loop")


async def test_a_body_without_end_is_given_up(server: str) -> None:
    with pytest.raises(RunFailed, match="larger than 50000 bytes"):
        await asked(f"{server}/endless", max_response_bytes=50_000)


async def test_a_status_worth_another_try_is_tried_again(server: str) -> None:
    Answers.statuses = [503, 429]
    retry = {"retry": {"max_attempts": 3, "initial_delay": 0}}

    response = await asked(f"{server}/flaky", error_handling=retry)

    assert response["status"] == 200
    assert len(Answers.seen) == 3
    assert len({told["headers"]["idempotency-key"] for told in Answers.seen}) == 1


async def test_another_status_is_not_tried_again(server: str) -> None:
    retry = {"retry": {"max_attempts": 3, "initial_delay": 0}}

    with pytest.raises(RunFailed, match=r"The status is 404: \{\"no\": true\}"):
        await asked(f"{server}/status/404", error_handling=retry)

    assert len(Answers.seen) == 1


async def test_a_status_that_is_expected_is_a_result(server: str) -> None:
    assert (await asked(f"{server}/status/404", expect=[200, 404]))["body"] == {"no": True}


async def test_a_server_that_is_not_there_is_told(server: str) -> None:
    with pytest.raises(RunFailed, match=r"127.0.0.1:1 did not answer"):
        await asked("http://127.0.0.1:1")


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.1.2.3", "169.254.169.254", "0.0.0.0", "::1", "::ffff:10.0.0.1", "fe80::1",
     "fc00::1", "224.0.0.1", "2002:7f00:1::", "64:ff9b::7f00:1", "100.64.0.1", "::127.0.0.1",
     "::ffff:0:127.0.0.1", "64:ff9b:1::7f00:1", "fec0::1", "192.0.0.192", "2130706433", "0x7f.1"],
)  # fmt: skip
async def test_addresses_inside_are_no_public_ones(address: str) -> None:
    policy = HttpPolicy("*.example.org," + address)

    with pytest.raises(HostNotAllowed, match="no public one"):
        await policy.addresses(address, 80)


@pytest.mark.parametrize(
    ("host", "allowed"),
    [("api.example.org", True), ("API.example.org.", True), ("example.org", False),
     ("example.org.evil.net", False), ("one.test", True), ("two.one.test", False)],
)  # fmt: skip
def test_hosts_are_allowed_by_name_or_below_a_domain(host: str, allowed: bool) -> None:
    policy = HttpPolicy("*.example.org, one.test")

    if allowed:
        policy.check(host)
    else:
        with pytest.raises(HostNotAllowed):
            policy.check(host)
