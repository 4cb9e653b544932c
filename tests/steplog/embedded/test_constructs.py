"""Fork, retry, rebuild, the past, export and rehearsal know every construct of the language."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from executor_service import Allowlist, ServiceRegistry
from executor_service.adapters.embedded.file import EmbeddedFile
from executor_service.adapters.embedded.reader import EmbeddedReader
from executor_service.definitions.replay import Rehearsing
from executor_service.ports.records import Written
from executor_service.steps.kafka_record import RECORDS
from steplog.client.sender import Submitted
from steplog.embedded import Embedded
from steplog_contracts.envelope import Record
from tests.e2e.histories import admitted, by_execution
from tests.steplog.cli.command_line import steplog as command
from tests.support import construct_steps
from tests.support.construct_steps import CONSTRUCTS

Rows = dict[str, dict[str, Any]]
# What rows say of an execution, for ever; times of their own making are left out.
SAID = ("status", "seq", "completed_steps", "failed_steps", "output_data", "pipeline_name")


class Told:
    """Takes every record."""

    async def send(self, topic: str, record: Record) -> Written:
        """Take it."""
        return Written(0, 0)


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a place for the file, where the kafka step may write."""
    monkeypatch.setenv("STEPLOG_STEP_TOPICS", "told")
    return tmp_path / "steplog.db"


async def rows_of(steplog: Embedded) -> Rows:
    """Return what the rows say of each execution."""
    page = await steplog.read.get("/api/executions", limit=200)
    return {row["execution_id"]: {name: row.get(name) for name in SAID} for row in page["items"]}


async def result(steplog: Embedded, submitted: Submitted) -> str:
    """Return how an execution ended."""
    return str((await steplog.result(submitted)).status.value)


async def ran(path: Path) -> tuple[Rows, Rows]:
    """Run every construct, fork each and retry what failed; return the rows, now and as of then."""
    services = ServiceRegistry(**{RECORDS: Told()})
    modules = [construct_steps.__name__]
    async with Embedded.open(path, step_modules=modules, services=services) as steplog:
        asked = {
            name: await steplog.run(definition | {"name": name}, {}, execution_id=name)
            for name, (definition, _, _) in CONSTRUCTS.items()
        }
        ended = {name: await result(steplog, one) for name, one in asked.items()}
        assert ended == {name: status for name, (_, status, _) in CONSTRUCTS.items()}
        forks = {name: await steplog.fork(name, of[2]) for name, of in CONSTRUCTS.items()}
        again = {name: await result(steplog, one) for name, one in forks.items()}
        assert again == ended
        retries = [await steplog.retry(name) for name, end in ended.items() if end == "failed"]
        assert {await result(steplog, one) for one in retries} == {"failed"}
        rows = await rows_of(steplog)
        then = {name: await as_of_end(steplog, name, row["seq"]) for name, row in rows.items()}
        return rows, then


async def as_of_end(steplog: Embedded, execution_id: str, seq: int) -> dict[str, Any]:
    """Return what is said of an execution as it stood after its last event."""
    told = await steplog.read.get(f"/api/executions/{execution_id}", at_seq=seq)
    return {name: told["execution"].get(name) for name in SAID}


async def again_from(path: Path) -> Rows:
    """Return the rows of a file that is opened again."""
    async with Embedded.open(path, step_modules=[construct_steps.__name__]) as steplog:
        return await rows_of(steplog)


async def rehearsed(path: Path) -> dict[str, Any]:
    """Lead each execution through its own definition; return where one goes another way."""
    async with EmbeddedFile(path), EmbeddedReader(path) as reader:
        ends = await reader.ends()
        histories = by_execution(admitted(0, await reader.records("events", 0, ends["events"])))
    differences = {}
    for name, (definition, _, _) in CONSTRUCTS.items():
        rehearsing = Rehearsing(definition | {"name": name}, Allowlist(["tests.*"]))
        found = rehearsing.difference([recorded.event for recorded in histories[name]])
        if found is not None:
            differences[name] = found
    return differences


def test_every_construct_is_known_everywhere(path: Path) -> None:
    rows, then = asyncio.run(ran(path))
    rebuilt = command("rebuild", "--embedded", "--data", str(path))
    exported = command("export", "--all", "--embedded", "--data", str(path),
                       "--out", str(path.with_name("all.jsonl")))  # fmt: skip
    after = asyncio.run(again_from(path))
    differences = asyncio.run(rehearsed(path))

    assert (rebuilt.exit_code, exported.exit_code) == (0, 0), rebuilt.err + exported.err
    assert len(rows) >= 2 * len(CONSTRUCTS)
    assert after == rows
    assert {name: row["status"] for name, row in then.items()} == {
        name: row["status"] for name, row in rows.items()
    }
    assert differences == {}
