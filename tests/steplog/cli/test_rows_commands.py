"""`steplog prune` and `steplog dead-letters` work on either kind of read model."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from steplog.cli.main import app
from tests.conformance.stores import (
    TOPIC,
    ReadModelUnderTest,
    new_database,
    postgres_read_model,
    sqlite_read_model,
)
from tests.steplog.cli.command_line import steplog
from tests.tracker.histories import History, Log
from tests.tracker.serving import serving
from tracker_service.api_server.app import make_app

URL = "DATABASE_URL"
USAGE_ERROR = 2


@pytest.fixture(params=["postgres", "sqlite"])
async def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[str]:
    """Return the URL of a read model with an ended execution and one behind a hole."""
    if request.param == "sqlite":
        async with sqlite_read_model(tmp_path / "rows.db") as rows:
            await _fill(rows)
        yield f"sqlite:///{tmp_path / 'rows.db'}"
    else:
        server_url = request.getfixturevalue("postgres_server_url")
        async with new_database(server_url) as url:
            async with postgres_read_model(url) as rows:
                await _fill(rows)
            yield url


async def _fill(rows: ReadModelUnderTest) -> None:
    log = Log()
    sick = History("sick")
    begun, (_lost, ended) = sick.started(), sick.step()
    await rows.receives(log.append([*History("well").whole(), begun, ended]))


async def test_lag_is_told_by_partition(tmp_path: Path) -> None:
    async with sqlite_read_model(tmp_path / "rows.db") as rows:
        log = Log()
        await rows.receives(log.append(History().whole()))
        await rows.store.observe_ends(TOPIC, {0: len(log.entries) + 5})
        async with serving(make_app(rows.model, TOPIC)) as url:
            env = {"STEPLOG_API_URL": url}
            told = await asyncio.to_thread(steplog, "lag", "--json", env=env)
            shown = await asyncio.to_thread(steplog, "lag", env=env)

    (partition,) = json.loads(told.out)["partitions"]
    assert (partition["next_offset"], partition["gap"]) == (len(log.entries), 5)
    assert "events behind" in shown.out


async def test_prune_removes_what_ended_and_says_how_much(database_url: str) -> None:
    done = steplog("prune", "--older-than", "1", env={URL: database_url})
    again = steplog("prune", "--older-than", "1", env={URL: database_url})

    assert done.out == "1 executions removed from the rows; the log keeps them.\n"
    assert again.out.startswith("0 executions removed")


async def test_prune_takes_spans_of_each_unit(tmp_path: Path) -> None:
    async with sqlite_read_model(tmp_path / "rows.db") as rows:
        log, now = Log(), datetime.now(UTC)
        for name, minutes in (("days", 8 * 24 * 60), ("hours", 150), ("minutes", 45), ("now", 1)):
            began = now - timedelta(minutes=minutes)
            await rows.receives(log.append(History(name, time=began).whole()))
        env = {URL: f"sqlite:///{tmp_path / 'rows.db'}"}

        removed = [
            json.loads(steplog("prune", "--older-than", span, "--json", env=env).out)["removed"]
            for span in ("9d", "7d", "3h", "2h", "30m", "1s")
        ]

    assert removed == [0, 1, 0, 1, 1, 1]


@pytest.mark.parametrize(
    "span",
    ["", "d", "7w", "-1d", "nan", "infd", "1e309", "yesterday", "1h30m", "99999999d", "90 days"],
)
def test_prune_refuses_what_is_no_span_of_time(span: str) -> None:
    refused = CliRunner().invoke(app, ["prune", f"--older-than={span}"])

    said = " ".join(refused.output.replace("│", " ").split())
    assert refused.exit_code == USAGE_ERROR
    assert "is no span of time; give one such as 90d, 2h, 30m or 1s." in said


async def test_dead_letters_are_listed_shown_and_skipped(database_url: str) -> None:
    env = {URL: database_url}
    (listed,) = json.loads(steplog("dead-letters", "list", "--json", env=env).out)
    shown = steplog("dead-letters", "show", str(listed["id"]), env=env)
    stuck = steplog("dead-letters", "retry", str(listed["id"]), env=env)
    skipped = steplog("dead-letters", "skip", str(listed["id"]), "--yes", env=env)

    assert (listed["code"], listed["execution_id"]) == ("hole", "sick")
    assert "steplog.step.completed.v1" in shown.out
    assert (stuck.exit_code, "still at fault (hole)" in stuck.out) == (1, True)
    assert skipped.out == "1 applied, 0 skipped.\n"
