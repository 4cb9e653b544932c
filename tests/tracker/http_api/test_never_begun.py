"""An execution whose command was refused is found by its id, with the reason."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from steplog.client.read_api import ReadApi
from steplog.client.watch import glimpses
from steplog.errors import NeverBegan
from tests.conformance.stores import TOPIC, sqlite_read_model
from tests.tracker.histories import Log, refused
from tracker_service.api_server.app import make_app

PARTS = ("", "/steps", "/waits", "/graph", "/timeline", "/relatives", "/definition")


@pytest.fixture
async def transport(tmp_path: Path) -> AsyncIterator[httpx.ASGITransport]:
    """Return the way to an API that knows refusals alone."""
    async with sqlite_read_model(tmp_path / "rows.db") as rows:
        log = Log()
        log.append([refused("c-1", "e-1"), refused("c-2", "e-2", code="duplicate_execution")])
        log.append(refused("c-3", "e-3", command_type="steplog.command.cancel_execution.v1"))
        await rows.receives(log.entries)
        yield httpx.ASGITransport(app=make_app(rows.model, TOPIC))


@pytest.fixture
async def api(transport: httpx.ASGITransport) -> AsyncIterator[httpx.AsyncClient]:
    """Return a client of that API."""
    async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
        yield client


@pytest.mark.parametrize("part", PARTS)
async def test_every_question_about_it_says_why_it_never_began(
    api: httpx.AsyncClient, part: str
) -> None:
    answer = await api.get(f"/api/executions/e-1{part}")

    problem = answer.json()
    assert (answer.status_code, problem["code"], problem["command_id"]) == (
        404,
        "bad_definition",
        "c-1",
    )
    assert "e-1 never began: its command c-1 was refused (bad_definition)" in problem["detail"]


@pytest.mark.parametrize("execution_id", ["e-2", "e-3", "e-4"])
async def test_other_refusals_say_nothing_of_a_beginning(
    api: httpx.AsyncClient, execution_id: str
) -> None:
    problem = (await api.get(f"/api/executions/{execution_id}")).json()

    assert problem["detail"].startswith(f"There is no execution {execution_id}")
    assert "code" not in problem


async def test_the_page_says_it_too(api: httpx.AsyncClient) -> None:
    page = await api.get("/executions/e-1")

    assert (page.status_code, "its command c-1 was refused" in page.text) == (404, True)


async def test_the_client_raises_it_and_a_watch_does_not_wait(
    transport: httpx.ASGITransport,
) -> None:
    read = ReadApi("http://api", transport)

    with pytest.raises(NeverBegan, match="was refused") as caught:
        async for _ in glimpses(read, "e-1", look_again_s=0.001):
            pass

    assert (caught.value.code, caught.value.command_id) == ("bad_definition", "c-1")
    await read.close()
