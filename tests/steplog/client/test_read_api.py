"""Answers of the API are typed, and its problems are told in its own words."""

import httpx
import pytest

from steplog.client.read_api import ReadApi
from steplog.errors import BadInput, NotAnswered, NotFound, ServiceUnreachable
from steplog_contracts.records import ExecutionStatus

EXECUTION = {
    "execution_id": "e-1",
    "pipeline_id": "p",
    "pipeline_name": "P",
    "status": "completed",
    "started_at": "2026-01-01T00:00:00+00:00",
    "a_key_of_a_newer_tracker": 1,
}


class FakeApi(httpx.AsyncBaseTransport):
    """Gives one answer to everything and remembers what was asked."""

    def __init__(self, status: int, body: object) -> None:
        self.status, self.body = status, body
        self.asked: list[str] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer."""
        self.asked.append(str(request.url))
        return httpx.Response(self.status, json=self.body)


def _read(status: int, body: object) -> tuple[ReadApi, FakeApi]:
    api = FakeApi(status, body)
    return ReadApi("http://steplog", transport=api), api


async def test_an_execution_is_read_as_a_record() -> None:
    read, _ = _read(200, {"execution": EXECUTION, "freshness": {}})

    execution = await read.execution("e-1")

    assert (execution.status, execution.pipeline_name) == (ExecutionStatus.COMPLETED, "P")


async def test_filters_that_are_not_given_are_not_asked() -> None:
    read, api = _read(200, {"items": [EXECUTION], "next_cursor": "c", "freshness": {}})

    page = await read.executions(status="failed", limit=5, cursor=None)

    assert api.asked == ["http://steplog/api/executions?status=failed&limit=5"]
    assert (page.items[0].execution_id, page.next_cursor) == ("e-1", "c")


@pytest.mark.parametrize(("status", "kind"), [(404, NotFound), (422, NotAnswered)])
async def test_a_problem_is_told_in_the_apis_words(status: int, kind: type[Exception]) -> None:
    read, _ = _read(status, {"detail": "There is no execution x in the rows."})

    with pytest.raises(kind, match=r"^There is no execution x in the rows\.$"):
        await read.execution("x")


async def test_something_that_is_no_steplog_api_is_named() -> None:
    """As when the port belongs to another program."""

    class Website(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            return httpx.Response(200, text="<html>")

    read = ReadApi("http://elsewhere", transport=Website())

    with pytest.raises(ServiceUnreachable, match="No steplog API answers at http://elsewhere"):
        await read.execution("x")


@pytest.mark.parametrize("body", [[], "rubbish", None, {"execution": EXECUTION}])
async def test_json_of_another_program_is_told_apart(body: object) -> None:
    read, _ = _read(200, body)

    with pytest.raises(ServiceUnreachable, match="No steplog API answers"):
        await read.execution("e-1")


@pytest.mark.parametrize("body", [{"error": 1}, [1], "no", None])
async def test_a_refusal_without_a_sentence_is_told_by_its_status(body: object) -> None:
    read, _ = _read(502, body)

    with pytest.raises(NotAnswered, match="Bad Gateway"):
        await read.execution("e-1")


async def test_a_record_of_another_form_is_told() -> None:
    read, _ = _read(200, {"execution": {"execution_id": 1}, "freshness": {}})

    with pytest.raises(NotAnswered, match="use the same version as the API's"):
        await read.execution("e-1")


async def test_a_token_that_is_not_taken_is_named() -> None:
    read, _ = _read(401, {"detail": "The token has expired; ask for a new one."})

    with pytest.raises(NotAnswered, match="ask for a new one; set STEPLOG_API_TOKEN"):
        await read.execution("e-1")


async def test_an_id_stands_for_itself_in_a_path() -> None:
    read, api = _read(200, {"execution": EXECUTION, "freshness": {}})

    await read.execution("a?x=y#z")

    assert api.asked == ["http://steplog/api/executions/a%3Fx%3Dy%23z"]


@pytest.mark.parametrize("text", ["", ".", "..", "../counts", "a\nb", "x" * 501])
async def test_what_can_be_no_id_is_not_asked_for(text: str) -> None:
    read, api = _read(200, {})

    with pytest.raises(BadInput, match="can be no id of an execution"):
        await read.execution(text)

    assert api.asked == []
