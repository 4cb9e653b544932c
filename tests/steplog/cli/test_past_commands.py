"""`ls --as-of`, `show --as-of`, `show --at-seq` and `events`, against an API with rows and log."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import uvicorn

from steplog.local.ports import free_ports
from tests.conformance.stores import TOPIC, sqlite_read_model
from tests.steplog.cli.command_line import Ended, is_one_sentence, steplog
from tests.steplog.local.waiting import wait_until
from tests.tracker.http_api.test_as_of_api import a_log
from tests.verification.past_world import EntriesLog
from tracker_service.api_server.app import make_app

Run = Callable[..., Ended]
THEN = "2026-01-01T00:00:00.003Z"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """Return the command line beside an API."""
    port, path = free_ports(1)[0], tmp_path_factory.mktemp("api") / "rows.db"
    servers: list[uvicorn.Server] = []
    thread = threading.Thread(target=lambda: asyncio.run(serve(port, path, servers)))
    thread.start()
    wait_until(lambda: bool(servers) and servers[0].started)
    yield lambda *arguments: steplog(
        *arguments, env={"STEPLOG_API_URL": f"http://127.0.0.1:{port}", "TZ": "UTC"}
    )
    servers[0].should_exit = True
    thread.join()


async def serve(port: int, path: Path, servers: list[uvicorn.Server]) -> None:
    async with sqlite_read_model(path) as rows:
        await rows.receives(a_log().entries)
        app = make_app(rows.model, TOPIC, EntriesLog([a_log().entries]))
        servers.append(uvicorn.Server(uvicorn.Config(app, port=port, log_config=None)))
        await servers[0].serve()


def test_a_list_as_of_a_moment_says_so(run: Run) -> None:
    ended = run("ls", "--as-of", THEN)

    assert ended.exit_code == 0, ended.err
    assert "As of 2026-01-01T00:00:00.003000+00:00, told from the rows" in ended.out
    assert "waiting for human" in ended.out


def test_an_execution_is_shown_as_it_stood(run: Run) -> None:
    then = run("show", "e-1", "--as-of", THEN)
    place = json.loads(run("show", "e-1", "--at-seq", "4", "--json").out)

    assert "e-1  running" in then.out
    assert (place["execution"]["seq"], len(place["steps"])) == (4, 2)


def test_events_are_a_table_for_people_and_lines_for_programs(run: Run) -> None:
    table = run("events", "e-1").out
    lines = [json.loads(line) for line in run("events", "e-1", "--json").out.splitlines()]

    assert "step.completed" in table
    assert [event["seq"] for event in lines] == [1, 2, 3, 4, 5, 6]
    assert set(lines[0]) >= {"offset", "partition", "seq", "time", "epoch", "type", "data"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("ls", "--as-of", "last week"), "is no time; give one such as"),
        (("show", "e-1", "--as-of", "2020-01-01"), "had not begun then"),
        (("events", "nobody"), "neither in the rows nor in partition 0 of the log"),
    ],
)
def test_what_cannot_be_told_is_one_sentence(
    run: Run, arguments: tuple[str, ...], said: str
) -> None:
    ended = run(*arguments)

    assert is_one_sentence(ended)
    assert said in ended.err
