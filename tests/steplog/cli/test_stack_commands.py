"""The local stack through the command line, from `up` to `down`, with everything real."""

import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from steplog.local.data_folder import DataFolder
from steplog.local.ports import free_ports
from steplog.local.stack_state import ProcessStatus, StackState
from tests.steplog.cli.command_line import Ended, is_one_sentence, steplog
from tests.steplog.cli.plain_steps import definition
from tests.steplog.local.waiting import has_ended, wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.broker, pytest.mark.database]
Run = Callable[..., Ended]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> DataFolder:
    """Return the data folder of the module's one stack."""
    return DataFolder(tmp_path_factory.mktemp("stack"))


@pytest.fixture(scope="module")
def run(folder: DataFolder) -> Iterator[Run]:
    """Return the command line beside a running stack that is stopped at the end."""
    pipelines = folder.root / "pipelines"
    pipelines.mkdir()
    for name in ("Greet", "Fail"):
        (pipelines / f"{name.lower()}.json").write_text(json.dumps(definition(name)))
    env = {
        "STEPLOG_DATA_DIR": str(folder.root),
        "STEPLOG_PIPELINES_DIR": str(pipelines),
        "STEPLOG_API_PORT": str(free_ports(1)[0]),
    }

    def command(*arguments: str) -> Ended:
        return steplog(*arguments, env=env)

    up = command("up", "--detach", "--steps", "tests.steplog.cli.plain_steps")
    assert up.exit_code == 0, up.err
    assert "Step code may come from tests.steplog.cli.plain_steps." in up.out
    yield command
    if folder.is_held():
        command("down")


def _state(folder: DataFolder) -> StackState:
    state = folder.read_state()
    assert state is not None
    return state


def test_status_shows_every_part_running(run: Run, folder: DataFolder) -> None:
    ended = run("status", "--json")

    told = json.loads(ended.out)
    assert ended.exit_code == 0
    assert {one["name"]: one["status"] for one in told["processes"]} == dict.fromkeys(
        ("kafka", "postgres", "executor", "tracker", "api"), "running"
    )
    assert "executor" in run("status").out


def test_a_second_up_says_so(run: Run, folder: DataFolder) -> None:
    for arguments in (("up",), ("up", "--detach")):
        ended = run(*arguments)

        assert is_one_sentence(ended)
        assert f"A stack already runs in {folder.root}" in ended.err


def test_a_pipeline_known_by_name_runs_to_its_end(run: Run) -> None:
    ended = run("run", "greet", "--input", '{"name": "Ada"}', "--id", "greet-1", "--wait")

    assert ended.exit_code == 0
    assert "greet-1  completed" in ended.out
    assert "only" in ended.out


def test_json_of_a_waited_for_run_has_execution_and_steps(run: Run, folder: DataFolder) -> None:
    file = folder.root / "pipelines" / "greet.json"
    given = folder.root / "input.json"
    given.write_text('{"name": "Grace"}')

    ended = run("run", str(file), "--input", f"@{given}", "--wait", "--json")

    told = json.loads(ended.out)
    assert told["execution"]["output_data"]["greeting"] == "Hello, Grace"
    assert [step["status"] for step in told["steps"]] == ["completed"]


def test_a_failed_execution_ends_the_waiting_with_2(run: Run) -> None:
    ended = run("run", "fail", "--id", "fail-1", "--wait")

    assert ended.exit_code == 2
    assert "Error: Execution fail-1 failed" in ended.err
    assert "the oven is cold" in ended.err
    assert "Traceback" not in ended.err


def test_a_refused_command_tells_the_executors_reason(run: Run) -> None:
    ended = run("run", "no-such-pipeline", "--wait")

    assert is_one_sentence(ended)
    assert "no-such-pipeline" in ended.err


def test_without_waiting_the_way_to_look_is_told(run: Run) -> None:
    ended = run("run", "greet", "--input", '{"name": "Ada"}', "--id", "greet-2")

    assert ended.exit_code == 0
    assert "steplog show greet-2" in ended.out
    wait_until(lambda: run("show", "greet-2").exit_code == 0)


def test_ls_lists_newest_first(run: Run) -> None:
    for execution_id in ("older", "newer"):
        run("run", "greet", "--input", '{"name": "A"}', "--id", execution_id, "--wait")

    listed = [item["execution_id"] for item in json.loads(run("ls", "--json").out)["items"]]
    text = run("ls", "--status", "completed").out

    assert listed.index("newer") < listed.index("older")
    assert "newer" in text


def test_showing_an_unknown_execution_is_refused(run: Run) -> None:
    ended = run("show", "nobody")

    assert is_one_sentence(ended)
    assert "nobody" in ended.err


def test_applying_topics_again_changes_nothing(run: Run) -> None:
    ended = run("topics", "apply")

    assert ended.exit_code == 0
    assert ended.out.count("unchanged") == 5


def test_a_killed_executor_is_started_again(run: Run, folder: DataFolder) -> None:
    pid = _state(folder).process("executor").pid
    assert pid is not None

    os.kill(pid, signal.SIGKILL)

    wait_until(lambda: _state(folder).process("executor").restarts == 1)
    wait_until(lambda: _state(folder).is_whole)
    assert _state(folder).process("executor").pid != pid


def test_down_leaves_no_process_and_keeps_the_data(run: Run, folder: DataFolder) -> None:
    """The last of this module: the stack is gone after it."""
    state = _state(folder)
    supervisor = psutil.Process(state.supervisor_pid)
    family = [supervisor, *supervisor.children(recursive=True)]

    ended = run("down")

    assert ended.exit_code == 0
    assert len(family) > len(state.processes)
    assert [one for one in family if not has_ended(one)] == []
    assert is_one_sentence(run("down"))
    assert (folder.kafka / "log" / "meta.properties").exists()


def test_status_of_no_stack_is_a_refusal(tmp_path: Path) -> None:
    ended = steplog("status", "--data-dir", str(tmp_path / "none"))

    assert is_one_sentence(ended)
    assert "start one with `steplog up`" in ended.err
    assert ProcessStatus.RUNNING not in ended.out
