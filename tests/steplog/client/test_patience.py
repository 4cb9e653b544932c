"""A client comes again when it is told to, within bounds."""

from collections.abc import Iterator
from datetime import UTC, datetime

import httpx
import pytest

from steplog.client import client as clients
from steplog.client.client import Steplog
from steplog.client.patience import LEAST_WAIT_S, wait_of
from steplog.client.read_api import ReadApi
from steplog.client.sender import Submitted
from steplog.embedded.http_sender import ApiSender
from steplog.errors import NotAvailable, ServiceUnreachable
from steplog_contracts.commands import CancelExecution
from tests.steplog.client.test_read_api import EXECUTION
from tests.steplog.fake_commands import FakeCommands

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
AT_ONCE = {"Retry-After": "0"}
ANSWER = {"execution": EXECUTION, "freshness": {}}
APPLIED = {"status": "applied", "code": None, "message": None, "freshness": {}}
Line = tuple[int, dict[str, str], object] | type[httpx.HTTPError]


class Scripted(httpx.AsyncBaseTransport):
    """Answers line by line, and keeps the requests."""

    def __init__(self, *lines: Line) -> None:
        self._lines: Iterator[Line] = iter(lines)
        self.requests: list[httpx.Request] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer with the next line."""
        self.requests.append(request)
        line = next(self._lines)
        if isinstance(line, type):
            raise line("no answer")
        status, headers, body = line
        return httpx.Response(status, headers=headers, json=body)


def busy(status: int, **headers: str) -> Line:
    return status, {"Retry-After": "0", **headers}, {"detail": "Come again."}


@pytest.mark.parametrize(
    ("status", "told", "wait_s"),
    [
        (429, "3", 3.0),
        (503, "0", LEAST_WAIT_S),
        (503, "Fri, 01 May 2026 12:00:07 GMT", 7.0),
        (503, "Fri, 01 May 2026 11:00:00 GMT", LEAST_WAIT_S),
        (503, "", None),
        (503, "soon", None),
        (503, "-1", None),
        (500, "3", None),
        (202, "3", None),
    ],
)
def test_the_wait_is_what_the_answer_says(status: int, told: str, wait_s: float | None) -> None:
    assert wait_of(status, {"Retry-After": told}, NOW) == wait_s


@pytest.mark.parametrize("status", [429, 503])
async def test_a_question_is_asked_again(status: int) -> None:
    api = Scripted(busy(status), busy(status), (200, {}, ANSWER))

    execution = await ReadApi("http://steplog", api).execution("e-1")

    assert execution.execution_id == "e-1"
    assert len(api.requests) == 3


async def test_a_wait_beyond_the_bound_is_not_begun() -> None:
    api = Scripted((503, {"Retry-After": "3600"}, {"detail": "The database is away."}))

    with pytest.raises(NotAvailable, match="The database is away"):
        await ReadApi("http://steplog", api).execution("e-1")


async def test_a_command_over_the_api_is_repeated_under_one_key() -> None:
    accepted = {"execution_id": "e-1", "command_id": "c-1"}
    api = Scripted(busy(503), busy(429), (202, {}, accepted))
    sender = ApiSender("http://steplog", transport=api)

    submitted = await sender.send(CancelExecution(execution_id="e-1"))

    assert submitted == Submitted("e-1", "c-1")
    assert len({request.headers["Idempotency-Key"] for request in api.requests}) == 1


def client_of(*lines: Line) -> Steplog:
    read = ReadApi("http://steplog", Scripted(*lines), patience_s=0.0)
    return Steplog(FakeCommands(), read)


async def test_a_result_outlasts_an_api_that_is_away_for_a_while() -> None:
    steplog = client_of(
        busy(503, **{"Retry-After": "9"}),
        (200, {}, APPLIED),
        httpx.ConnectError,
        (200, {}, ANSWER),
    )

    execution = await steplog.result(Submitted("e-1", "c-1"))

    assert execution.status == "completed"


async def test_an_api_that_never_answered_is_an_error_at_once() -> None:
    with pytest.raises(ServiceUnreachable, match="STEPLOG_API_URL"):
        await client_of(httpx.ConnectError).result(Submitted("e-1", "c-1"))


async def test_an_outage_is_not_waited_out_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients, "OUTAGE_PATIENCE_S", 0.0)
    away = busy(503, **{"Retry-After": "9"})

    with pytest.raises(NotAvailable):
        await client_of(away, away, away).result(Submitted("e-1", "c-1"))
