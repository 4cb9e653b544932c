"""What can't be used is named in one sentence with the remedy, and nothing is left behind."""

import json
import socket
from pathlib import Path

import pytest

from steplog.local.ports import free_ports
from steplog_contracts.topics import Topics
from tests.steplog.cli.command_line import is_one_sentence, steplog
from tests.steplog.cli.plain_steps import definition


@pytest.fixture
def nowhere() -> dict[str, str]:
    """Return the address of a broker and an API that are down."""
    port = free_ports(1)[0]
    return {
        "KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{port}",
        "STEPLOG_API_URL": f"http://127.0.0.1:{port}",
    }


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("run", "x", "--input", "{name: Ada}"), "The value of --input is not JSON"),
        (("run", "x", "--input", "@no-such-file"), "The file no-such-file can't be read"),
        (("run", "no/such/definition.json"), "The file no/such/definition.json can't be read"),
        (("run", "README.md"), "The file README.md is not JSON"),
        (("topics", "apply", "--file", "no-such.yaml"), "The file no-such.yaml can't be read"),
        (("topics", "apply", "--file", "pyproject.toml"), "The file pyproject.toml is not YAML"),
    ],
)
def test_input_that_cannot_be_read_is_named(arguments: tuple[str, ...], said: str) -> None:
    ended = steplog(*arguments)

    assert is_one_sentence(ended)
    assert said in ended.err


def test_json_that_is_no_definition_is_named(tmp_path: Path) -> None:
    (tmp_path / "list.json").write_text("[1, 2]")

    ended = steplog("run", str(tmp_path / "list.json"))

    assert is_one_sentence(ended)
    assert "holds no pipeline definition" in ended.err


def test_an_id_that_no_execution_can_have_is_refused(kafka_bootstrap: str) -> None:
    env = {"KAFKA_BOOTSTRAP_SERVERS": kafka_bootstrap}

    ended = steplog("run", "x", "--id", "with space", env=env)

    assert is_one_sentence(ended)
    assert "execution_id" in ended.err


def test_a_broker_that_is_down_is_named(nowhere: dict[str, str], tmp_path: Path) -> None:
    for arguments in (("up",), ("up", "--detach"), ("run", "x"), ("topics", "apply")):
        ended = steplog(*arguments, env={**nowhere, "STEPLOG_DATA_DIR": str(tmp_path)})

        assert is_one_sentence(ended), ended
        assert f"Kafka does not answer at {nowhere['KAFKA_BOOTSTRAP_SERVERS']}" in ended.err


def test_a_database_that_is_down_is_named(tmp_path: Path) -> None:
    env = {
        "STEPLOG_DATABASE_URL": f"postgresql://127.0.0.1:{free_ports(1)[0]}/steplog",
        "STEPLOG_DATA_DIR": str(tmp_path),
    }

    ended = steplog("up", env=env)

    assert is_one_sentence(ended)
    assert "PostgreSQL does not answer at postgresql://127.0.0.1" in ended.err


def test_an_api_that_is_down_is_named(nowhere: dict[str, str]) -> None:
    for name in ("ls", "show x", "watch x", "top", "stats", "waits", "lag", "events x"):
        ended = steplog(*name.split(), env=nowhere)

        assert is_one_sentence(ended)
        assert f"No steplog API answers at {nowhere['STEPLOG_API_URL']}" in ended.err


def test_a_topic_with_another_partition_count_is_refused(
    kafka_bootstrap: str, topics: Topics, tmp_path: Path
) -> None:
    env = {
        "KAFKA_BOOTSTRAP_SERVERS": kafka_bootstrap,
        "STEPLOG_TOPIC_NAMESPACE": topics.commands.name.removesuffix(".commands"),
        "STEPLOG_PARTITIONS": "16",
        "STEPLOG_DATA_DIR": str(tmp_path),
    }

    for arguments in (("topics", "apply"), ("up",)):
        ended = steplog(*arguments, env=env)

        assert is_one_sentence(ended), ended
        assert f"Topic {topics.commands.name} has 4 partitions, not 16" in ended.err


def test_a_command_without_its_topic_is_refused(
    kafka_bootstrap: str, topic_namespace: str, tmp_path: Path
) -> None:
    env = {
        "KAFKA_BOOTSTRAP_SERVERS": kafka_bootstrap,
        "STEPLOG_TOPIC_NAMESPACE": topic_namespace,
        "STEPLOG_API_URL": "http://127.0.0.1:1",
    }
    (tmp_path / "greet.json").write_text(json.dumps(definition("Greet")))

    ended = steplog("run", str(tmp_path / "greet.json"), env=env)

    assert is_one_sentence(ended)
    assert "create it with `steplog topics apply`" in ended.err


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        ended = steplog("up", "--api-port", str(port), "--data-dir", str(tmp_path))

    assert is_one_sentence(ended)
    assert f"Port {port} on 127.0.0.1 is taken" in ended.err


def test_a_data_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    ended = steplog("up", "--data-dir", str(tmp_path / "file" / "data"))

    assert is_one_sentence(ended)
    assert f"The data folder {tmp_path}/file/data can't be written" in ended.err


def test_a_wrong_setting_is_named_by_its_variable() -> None:
    ended = steplog("ls", env={"STEPLOG_PARTITIONS": "many"})

    assert is_one_sentence(ended)
    assert "STEPLOG_PARTITIONS" in ended.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("run",), "Missing argument 'FILE|MODULE:NAME|NAME'; see `steplog run --help`."),
        (("nonsense",), "No such command 'nonsense'; see `steplog --help`."),
        (("show", "a", "b"), "extra argument"),
        (("ls", "--no-such-option"), "--no-such-option"),
        (("ls", "-n", "0"), "'--limit' / '-n': Input should be greater than or equal to 1"),
        (("ls", "-n", "201"), "less than or equal to 200"),
        (("ls", "--status", "odd"), "'--status': 'odd' is not one of 'pending', 'running'"),
        (("show", "x", "--at-seq", "0"), "--at-seq"),
        (("top", "--every", "nan"), "--every"),
        (("run", "x", "--priority", "9999999"), "--priority"),
        (("waits", "-n", "501"), "--limit"),
        (("fork", "x", "--iteration", "-1"), "--iteration"),
        (("up", "--api-port", "70000"), "--api-port"),
        (("prune", "--older-than", "-1"), "--older-than"),
        (("token", "new", "--role", "viewer", "--expires-in-days", "0"), "--expires-in-days"),
        (("dead-letters", "show", "first"), "number"),
    ],
)
def test_a_command_line_that_cannot_be_understood_ends_with_64(
    arguments: tuple[str, ...], said: str
) -> None:
    ended = steplog(*arguments)

    assert ended.exit_code == 64
    assert is_one_sentence(ended), ended
    assert said in ended.err
    assert "--help`." in ended.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("run", "x", "--param", "year"), "'year' is no pair; give --param as KEY=VALUE"),
        (("run", "x", "--metadata", "=1"), "'=1' is no pair"),
        (("run", "x", "--not-before", "soon"), "'soon' is no time"),
        (("payload", "x", "y"), "A sha256 has 64 hexadecimal digits"),
        (("stats", "--window", "0s"), "--window 0s is out of range"),
    ],
)
def test_a_value_that_cannot_be_meant_is_named(arguments: tuple[str, ...], said: str) -> None:
    ended = steplog(*arguments)

    assert is_one_sentence(ended)
    assert ended.exit_code == 1
    assert said in ended.err


@pytest.mark.parametrize(
    "value", ['{"x": NaN}', '{"x": [Infinity]}', '{"x": -Infinity}', '{"x": 1e999}', "-1e400"]
)
def test_a_number_that_json_has_not_is_refused_at_once(value: str) -> None:
    ended = steplog("run", "x", f"--input={value}")

    assert is_one_sentence(ended)
    assert "The value of --input is not JSON" in ended.err


@pytest.mark.parametrize("levels", [150, 2_000, 100_000])
def test_an_input_of_many_brackets_is_refused_in_one_sentence(levels: int, tmp_path: Path) -> None:
    (tmp_path / "deep.json").write_text("[" * levels + "]" * levels)

    ended = steplog("run", "x", "--input", f"@{tmp_path / 'deep.json'}")

    assert is_one_sentence(ended)
    assert "deep" in ended.err


def test_a_file_that_is_broken_is_told_what_to_do_with_it(tmp_path: Path) -> None:
    (tmp_path / "broken.json").write_text("{")

    ended = steplog("check", str(tmp_path / "broken.json"))

    assert is_one_sentence(ended)
    assert "mend the file" in ended.err
    assert "year" not in ended.err


def test_a_byte_order_mark_is_passed_over(tmp_path: Path) -> None:
    file = tmp_path / "marked.json"
    file.write_bytes(b"\xef\xbb\xbf" + json.dumps(definition("quick")).encode())

    ended = steplog("check", str(file))

    assert "is not JSON" not in ended.err
