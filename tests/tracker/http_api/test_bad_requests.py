"""Bodies and bytes nobody should send: the API answers with a problem and stays up."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from tests.conformance.stores import TOPIC, sqlite_read_model
from tests.tracker.commands_kept import CommandsKept
from tests.tracker.serving import serving
from tracker_service.api_server.app import make_app

FIFTY_MB = 50_000_000


@pytest.fixture
def kept() -> CommandsKept:
    """Return a log of commands."""
    return CommandsKept()


@pytest.fixture
async def api(tmp_path: Path, kept: CommandsKept) -> AsyncIterator[httpx.AsyncClient]:
    """Return a client of an API on a port."""
    async with (
        sqlite_read_model(tmp_path / "rows.db") as rows,
        serving(make_app(rows.model, TOPIC, commands=kept)) as url,
        httpx.AsyncClient(base_url=url, trust_env=False) as client,
    ):
        yield client
        assert (await client.get("/healthz")).status_code == 200


async def test_a_body_of_fifty_megabytes_is_refused_before_it_is_sent(
    api: httpx.AsyncClient, kept: CommandsKept
) -> None:
    """The answer comes while the body is still here: its length alone is enough."""
    request = (
        f"POST /api/executions HTTP/1.1\r\nHost: {api.base_url.netloc.decode()}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {FIFTY_MB}\r\n\r\n"
    )
    with socket.create_connection((api.base_url.host, api.base_url.port or 80)) as connection:
        connection.setblocking(False)
        connection.sendall(request.encode())
        while not (answer := await _received(connection)):
            pass

    assert answer.startswith(b"HTTP/1.1 413")
    assert kept.sent == []


async def test_a_body_without_a_length_is_counted_as_it_comes(api: httpx.AsyncClient) -> None:
    def parts() -> Iterator[bytes]:
        for _ in range(40):
            yield b" " * 50_000

    async def sent() -> AsyncIterator[bytes]:
        for part in parts():
            yield part

    answer = await api.post(
        "/api/executions", content=sent(), headers={"Content-Type": "application/json"}
    )

    assert answer.status_code == 413


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"pipeline": "a", "input": "\\ud800"}',
        b'{"pipeline": "\\u0000"}',
        b'{"pipeline": "a", "metadata": []}',
        b'{"pipeline": "a", "priority": 1e400}',
        b'{"pipeline": "a", "priority": 99999999999999999999}',
    ],
)
async def test_a_body_that_is_none_is_a_problem(api: httpx.AsyncClient, content: bytes) -> None:
    answer = await api.post(
        "/api/executions", content=content, headers={"Content-Type": "application/json"}
    )

    assert answer.status_code in {400, 422}
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "path",
    [
        "/api/executions/%00",
        "/api/executions/%ff%fe",
        "/api/executions/" + "x" * 201,
        "/api/executions/' OR 1=1 --",
        "/api/executions/<script>alert(1)</script>/steps",
        "/api/interactions/..%2f..%2fetc%2fpasswd",
        "/api/nothing",
    ],
)
async def test_a_path_that_leads_nowhere_is_a_problem(api: httpx.AsyncClient, path: str) -> None:
    answer = await api.get(path)

    assert answer.status_code in {404, 422}
    assert answer.headers["content-type"] == "application/problem+json"
    assert "script-src" not in answer.headers["content-security-policy"]


async def test_a_method_a_path_does_not_have_is_a_problem(api: httpx.AsyncClient) -> None:
    answer = await api.put("/api/executions")

    assert (answer.status_code, "GET" in answer.headers["allow"]) == (405, True)
    assert answer.headers["content-type"] == "application/problem+json"


async def _received(connection: socket.socket) -> bytes:
    async with asyncio.timeout(10):
        return await asyncio.get_running_loop().sock_recv(connection, 1_000)


EDGES = ["0001-01-01T00:00:00%2B14:00", "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00Z"]


@pytest.mark.parametrize("time", EDGES)
@pytest.mark.parametrize(
    "asked",
    [
        "/api/executions?as_of=",
        "/api/counts?as_of=",
        "/api/executions?started_after=",
        "/api/executions?started_before=",
        "/api/statistics/pipelines?until=",
    ],
)
async def test_a_time_at_the_edge_of_what_there_is_is_refused(
    api: httpx.AsyncClient, asked: str, time: str
) -> None:
    answer = await api.get(f"{asked}{time}")

    assert answer.status_code == 422


@pytest.mark.parametrize("name", ["authorization", "cookie"])
async def test_a_header_that_is_no_ascii_is_nobodys(api: httpx.AsyncClient, name: str) -> None:
    for path in ("/", "/api/executions"):
        answer = await api.get(path, headers=[(name.encode(), b"Bearer \xff=\xff")])

        assert answer.status_code in {200, 401}
