"""A parameter that a route does not take is refused there, with the one that was meant."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute

from steplog.client.read_api import ReadApi
from steplog.errors import NotAnswered
from tests.conformance.stores import TOPIC, sqlite_read_model
from tests.tracker.commands_kept import CommandsKept
from tests.tracker.histories import History, Log
from tracker_service.api_server.app import make_app


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[FastAPI]:
    """Return an API over one execution."""
    async with sqlite_read_model(tmp_path / "rows.db") as rows:
        log = Log()
        log.append(History("e-1").whole())
        await rows.receives(log.entries)
        yield make_app(rows.model, TOPIC, commands=CommandsKept())


@pytest.fixture
async def api(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """Return a client of it."""
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=app), base_url="http://api"
    ) as client:
        yield client


def routes(app: FastAPI) -> Iterator[tuple[str, str]]:
    """Yield method and address of every route, the page's too."""
    from tracker_service.web import pages  # noqa: PLC0415 - made when an application is

    for route in (*app.state.routes, *pages.router.routes):
        assert isinstance(route, APIRoute)
        for method in sorted(route.methods):
            path = route.path.replace("{seq}", "1")
            yield method, "".join("e-1" if "}" in p else p for p in _parts(path))


def _parts(path: str) -> list[str]:
    return [part for piece in path.split("{") for part in _closed(piece)]


def _closed(piece: str) -> list[str]:
    name, closing, rest = piece.partition("}")
    return [name + closing, rest] if closing else [piece]


async def test_every_route_refuses_what_it_does_not_take(
    app: FastAPI, api: httpx.AsyncClient
) -> None:
    asked = sorted(set(routes(app)))
    answers = {
        (method, path): (await api.request(method, f"{path}?stattus=failed", json={})).status_code
        for method, path in asked
    }

    assert len(asked) > 40
    assert {asked: status for asked, status in answers.items() if status != 422} == {}


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("stattus=failed", "did you mean status?"),
        ("pipeline=p", "did you mean pipeline_id?"),
        ("metadta.customer=42", "did you mean metadata.<key>?"),
        ("zzz=1", "There is no parameter 'zzz' here. It takes "),
        ("version=1", "There is no parameter 'version' here"),
        ("input.x=9", "There is no parameter 'input.x' here"),
    ],
)
async def test_the_refusal_names_what_was_meant(
    api: httpx.AsyncClient, query: str, said: str
) -> None:
    answer = await api.get(f"/api/executions?{query}")

    assert answer.status_code == 422
    assert said in answer.json()["detail"]


@pytest.mark.parametrize(
    "path",
    [
        "/api/executions?metadata.anything=1&status=completed&limit=5&as_of=",
        "/api/executions?status=completed&status=failed&sort=started_at&order=asc&brief=true",
        "/api/executions/e-1?wait_for=c-1&timeout_ms=1",
        "/api/counts?metadata.x=1",
        "/?pipeline_id=p&metadata.x=1&metadata_key=&fragment=1",
        "/executions/e-1?fragment=1",
        "/executions/e-1/steps/2?as_of=2026-06-01T00:00:00Z&fragment=1",
        "/pipelines?window=1h&fragment=1",
        "/healthz",
    ],
)
async def test_what_a_route_takes_is_taken(api: httpx.AsyncClient, path: str) -> None:
    answer = await api.get(path.replace("&as_of=", ""))

    assert answer.status_code == 200


async def test_a_page_says_it_as_a_page(api: httpx.AsyncClient) -> None:
    answer = await api.get("/?pipeline=zzz")

    assert (answer.status_code, "text/html" in answer.headers["content-type"]) == (422, True)
    assert "did you mean pipeline_id?" in answer.text


async def test_a_filter_of_the_client_is_refused_as_the_apis(app: FastAPI) -> None:
    read = ReadApi("http://api", httpx.ASGITransport(app=app))

    with pytest.raises(NotAnswered, match="did you mean status"):
        await read.executions(stattus="failed")
    await read.close()
