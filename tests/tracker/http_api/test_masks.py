"""Secrets stay out of every answer: each route of the OpenAPI document, page and stream is asked.

A new route is asked without a change here: its path is in the document, and its parameters are
filled by name. One whose parameters are not known here fails until they are.
"""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute

from tests.conformance.stores import TOPIC, ReadModelUnderTest, sqlite_read_model
from tests.tracker.canary import CANARY, SHA, canary_log, shown_in
from tests.tracker.commands_kept import CommandsKept
from tests.tracker.http_api.test_auth import bearer, keyring
from tests.tracker.serving import serving, stream
from tests.verification.past_world import EntriesLog
from tracker_service.access.roles import Role
from tracker_service.api_server.app import make_app
from tracker_service.http_api.context import Protection
from tracker_service.web.pages import router as pages

# What stands in paths, by parameter.
PATHS: Final[dict[str, tuple[str, ...]]] = {
    "execution_id": ("e-1", "e-2", "e-3"),
    "job_id": ("e-1", "e-2"),
    "interaction_id": ("q-1", "q-2"),
    "command_id": ("c-refused",),
    "letter_id": ("1",),
    "sha256": (SHA,),
    "seq": ("2", "5"),
    "path": ("app.js",),
}
# The same route asked in other ways.
QUERIES: Final[dict[str, tuple[str, ...]]] = {
    "/api/executions": ("?brief=true", "?as_of=2026-06-01T00:00:00Z", "?status=failed"),
    "/api/executions/{execution_id}": ("?at_seq=3", "?as_of=2026-06-01T00:00:00Z"),
    "/api/executions/{execution_id}/steps": ("?at_seq=6",),
    "/api/executions/{execution_id}/events": ("?stale=true",),
    "/api/interactions": ("?pending_only=false",),
    "/api/dead-letters": ("?unresolved=false",),
    "/executions/{execution_id}": ("?at_seq=3",),
}
STREAMS: Final = ("/api/executions/stream", "/api/executions/{execution_id}/stream")


@pytest.fixture
async def rows(tmp_path: Path) -> AsyncIterator[ReadModelUnderTest]:
    async with sqlite_read_model(tmp_path / "rows.db") as under_test:
        await under_test.receives(canary_log().entries)
        yield under_test


@pytest.fixture
def app(rows: ReadModelUnderTest) -> FastAPI:
    return make_app(
        rows.model,
        TOPIC,
        log=EntriesLog([canary_log().entries]),
        commands=CommandsKept(),
        protection=Protection(keyring()),
    )


def addresses(app: FastAPI) -> list[str]:
    """Return every address to ask: the document's, and the pages', which it leaves out."""
    routes = [path for path, item in app.openapi()["paths"].items() if "get" in item]
    routes += [route.path for route in pages.routes if isinstance(route, APIRoute)]
    found = []
    for route in routes:
        if route not in STREAMS:
            found += [
                f"{one}{query}" for one in filled(route) for query in ("", *QUERIES.get(route, ()))
            ]
    return found


def filled(route: str) -> list[str]:
    """Return a route's addresses, its parameters filled in."""
    found = [route]
    for name in re.findall(r"{(\w+)(?::\w+)?}", route):
        assert name in PATHS, f"{route} has a parameter that no value is known for: {name}"
        found = [
            re.sub(rf"{{{name}(:\w+)?}}", value, one) for one in found for value in PATHS[name]
        ]
    return found


@pytest.mark.parametrize("role", [Role.VIEWER, Role.OPERATOR, Role.ADMIN], ids=str)
async def test_no_answer_and_no_page_shows_a_secret(app: FastAPI, role: Role) -> None:
    transport = httpx.ASGITransport(app=app)
    shown: dict[str, Any] = {}
    async with httpx.AsyncClient(
        transport=transport, base_url="http://127.0.0.1", headers=bearer(role)
    ) as api:
        asked = addresses(app)
        for address in asked:
            answer = await api.get(address)
            assert answer.status_code < 500, (address, answer.text)
            if found := shown_in(answer.text):
                shown[address] = found

    assert shown == {}
    assert len(asked) > 60


async def test_no_stream_shows_a_secret(app: FastAPI, rows: ReadModelUnderTest) -> None:
    open_app = make_app(rows.model, TOPIC)
    told = []
    async with serving(open_app) as url:
        for route in STREAMS:
            for path in filled(route):
                since = "?after=0:0" if path.endswith("executions/stream") else ""
                async with stream(url, f"{path}{since}") as events:
                    told += [await events.next() for _ in range(2 if since else 1)]

    assert shown_in(repr(told)) == []
    assert "e-1" in repr(told)


async def test_what_is_not_secret_is_shown(app: FastAPI) -> None:
    """Else a mask over everything would pass."""
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://127.0.0.1", headers=bearer(Role.VIEWER)
    ) as api:
        execution = (await api.get("/api/executions/e-1")).json()["execution"]
        graph = (await api.get("/api/executions/e-1/graph")).json()
        definition = (await api.get("/api/executions/e-1/definition")).json()["definition"]

    assert execution["metadata"] == {"password": "***", "pw": "***", "plain": "kept"}
    assert execution["input_data"]["card"] == {"number": "***", "year": 2030}
    assert execution["input_data"]["in a text"] == "the password is ***."
    assert execution["error_message"].startswith("$.pw: *** is shorter")
    assert graph["edges"][0]["condition"] == {"value": "***", "n": 1}
    assert definition["parameters"] == [{"name": "password", "default": "***"}]
    assert definition["steps"][0]["inputs"] == {"password": "***", "other": "***"}


async def test_a_search_can_not_tell_what_is_masked(app: FastAPI) -> None:
    """Whether a guess is found would be an answer."""
    transport = httpx.ASGITransport(app=app)
    places = ("/api/executions", "/api/counts", "/api/executions/stream", "/")
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as api:
        for place in places:
            answer = await api.get(
                place, params={"metadata.password": CANARY}, headers=bearer(Role.OPERATOR)
            )
            assert answer.status_code == 403, place
        counted = await api.get(
            "/api/counts", params={"error": CANARY}, headers=bearer(Role.VIEWER)
        )
        listed = await api.get(
            "/api/executions", params={"error": CANARY}, headers=bearer(Role.VIEWER)
        )
        other = await api.get(
            "/api/executions", params={"metadata.plain": "kept"}, headers=bearer(Role.VIEWER)
        )
        by_admin = await api.get(
            "/api/executions", params={"metadata.password": CANARY}, headers=bearer(Role.ADMIN)
        )

    assert counted.json()["total"] == 0
    assert (listed.json()["items"], listed.json()["next_cursor"]) == ([], None)
    assert {one["execution_id"] for one in other.json()["items"]} == {"e-1", "e-2"}
    assert {one["execution_id"] for one in by_admin.json()["items"]} == {"e-1", "e-2"}
