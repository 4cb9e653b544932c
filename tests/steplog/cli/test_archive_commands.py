"""`steplog export` and `steplog import` as a person uses them, on a real broker."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from steplog.cli.main import main
from steplog.local.ports import free_ports
from steplog_contracts.partitioning import partition_of
from steplog_contracts.topics import Topics
from tests.integration.test_archives_on_kafka import append, read
from tests.steplog.archive.test_round_trip import a_log
from tests.steplog.cli.command_line import Ended, is_one_sentence, steplog
from tests.steplog.cli.plain_steps import definition
from tests.tracker.histories import History, Log
from tracker_service.log.execution_records import searched
from tracker_service.log.kafka_events_log import KafkaEventsLog

pytestmark = pytest.mark.broker
Run = Callable[..., Ended]


@pytest.fixture
def environment(kafka_bootstrap: str, topics: Topics) -> dict[str, str]:
    """Return settings for topics without an API."""
    return {
        "KAFKA_BOOTSTRAP_SERVERS": kafka_bootstrap,
        "STEPLOG_TOPIC_NAMESPACE": topics.events.name.removesuffix(".events"),
        "STEPLOG_API_URL": f"http://127.0.0.1:{free_ports(1)[0]}",
    }


@pytest.fixture
def run(environment: dict[str, str]) -> Run:
    """Return the command line with those settings."""
    return lambda *arguments: steplog(*arguments, env=environment)


async def test_all_goes_out_and_into_other_topics(
    run: Run, kafka_bootstrap: str, topics: Topics, topic_namespace: str, tmp_path: Path
) -> None:
    await append(kafka_bootstrap, topics, a_log().entries)
    file = str(tmp_path / "all.parquet")

    exported = run("export", "--all", "--out", file)
    imported = run(
        "import", file, "--into-namespace", f"{topic_namespace}-x", "--allow-gaps", "--json"
    )
    refused = run("import", file, "--allow-gaps")

    assert exported.exit_code == 0, exported.err
    assert "1 left out" in exported.out
    assert json.loads(imported.out)["executions"] == 2
    assert is_one_sentence(refused)
    assert "--into-namespace" in refused.err


async def test_a_file_of_embedded_mode_moves_to_a_broker(
    run: Run, kafka_bootstrap: str, topics: Topics, tmp_path: Path
) -> None:
    file, archive, definition_file = (
        str(tmp_path / name) for name in ("one.db", "all.jsonl", "greet.json")
    )
    Path(definition_file).write_text(json.dumps(definition("Greet")))  # noqa: ASYNC240
    given = ("--input", '{"name": "Ada"}', "--id", "moved", "--wait", "--embedded", "--data", file)
    ran = run("run", definition_file, *given)
    exported = run("export", "--all", "--embedded", "--data", file, "--out", archive)
    partitions = str(topics.events.partitions)
    imported = run("import", archive, "--partitions", partitions)

    assert (ran.exit_code, exported.exit_code, imported.exit_code) == (0, 0, 0), imported.err
    log = KafkaEventsLog(kafka_bootstrap, topics.events.name)
    stretch = searched("moved", await log.bounds(), 100)
    seqs = [recorded.heading.seq async for recorded in stretch.records(log, "moved")]
    assert seqs == [1, 2, 3, 4]


async def test_one_execution_comes_as_lines_on_standard_output(
    run: Run, kafka_bootstrap: str, topics: Topics
) -> None:
    """Its partition is searched whole: no API says where it is."""
    await append(kafka_bootstrap, topics, a_log().entries)
    name = await an_execution_in_its_partition(kafka_bootstrap, topics)

    lines = [json.loads(line) for line in run("export", name).out.splitlines()]

    assert lines[0]["steplog_archive"]["selection"]["execution_id"] == name
    assert {line["key"] for line in lines[1:-1]} == {name}
    assert lines[-1]["end"]["executions"] == 1


async def an_execution_in_its_partition(bootstrap: str, topics: Topics) -> str:
    """Append a history whose key belongs to partition 0, as those of executors do."""
    names = (f"e-{number}" for number in range(100))
    name = next(n for n in names if partition_of(n, topics.events.partitions) == 0)
    log = Log()
    log.append(History(name).whole())
    await append(bootstrap, topics, log.entries)
    assert name.encode() in {entry.key for entry in await read(bootstrap, topics)}
    return name


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("export",), "Say what to export"),
        (("export", "--since", "2h", "--until", "3h"), "--since is not before --until"),
        (("export", "--all", "--format", "parquet"), "can't go to standard output"),
        (("export", "nobody"), "No event of nobody is in the log"),
        (("import", "README.md"), "is no archive of steplog"),
        (("import", "no-such-file"), "can't be read"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    environment: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    said: str,
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "argv", ["steplog", *arguments])

    with pytest.raises(SystemExit) as exit_code:
        main()

    told = capsys.readouterr().err.strip()
    assert exit_code.value.code == 1
    assert told.startswith("Error: ")
    assert said in told
