"""Answer, cancel, retry, fork and watch executions from the command line, with everything real."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from steplog.local.ports import free_ports
from steplog.local.services import tracker_keeps_up
from tests.conftest import ServicesFactory
from tests.steplog.cli.command_line import Ended, is_one_sentence, steplog
from tests.steplog.cli.plain_steps import chain
from tests.steplog.local.waiting import wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.broker, pytest.mark.database]
Run = Callable[..., Ended]
READY_TIMEOUT_S = 60.0
ORDER = "examples/order_fulfilment/pipeline.json"
STEPS = "tests.steplog.cli.plain_steps"


@pytest.fixture
def run(make_services: ServicesFactory, topics: object, tmp_path: Path) -> Run:
    """Return the command line beside an executor, a tracker and an API of the test's own."""
    for name, classes in {"brittle": ("Greet", "Brittle"), "asking": ("Ask", "Greet")}.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(chain(*classes)))
    services = make_services(STEPS, STEPLOG_PIPELINES_DIR=str(tmp_path), STEPLOG_PARTITIONS="4")
    port = free_ports(1)[0]
    services.start_executor()
    services.start_tracker()
    services.wait_ready()
    services.start_api(port)
    env = {
        "KAFKA_BOOTSTRAP_SERVERS": services.bootstrap_servers,
        "STEPLOG_TOPIC_NAMESPACE": services.namespace,
        "STEPLOG_API_URL": f"http://127.0.0.1:{port}",
    }
    wait_until(lambda: tracker_keeps_up(env["STEPLOG_API_URL"]), READY_TIMEOUT_S)
    return lambda *arguments: steplog(*arguments, env=env)


def asked(run: Run, *arguments: str) -> str:
    """Run a command that succeeds and return the execution it is about."""
    ended = run(*arguments, "--json")
    assert ended.exit_code == 0, ended.err
    told = json.loads(ended.out)
    assert told["status"] == "applied"
    return str(told["execution_id"])


def failing(run: Run, needs: Path, execution_id: str) -> None:
    """Run the brittle pipeline to its failure."""
    given = json.dumps({"name": "Ada", "needs": str(needs)})
    ended = run("run", "brittle", "--input", given, "--id", execution_id, "--wait")
    assert ended.exit_code == 2, ended.err


def test_a_failed_execution_is_retried_forked_and_watched(run: Run, tmp_path: Path) -> None:
    needs = tmp_path / "flour"
    failing(run, needs, "e-1")
    needs.touch()
    retried = asked(run, "retry", "e-1")
    forked = asked(run, "fork", "e-1", "--from", "brittle", "--input", '{"how": "twice"}')
    watched = run("watch", forked)
    again = run("watch", "e-1")

    assert run("watch", retried).exit_code == 0
    assert "brittle completed" in watched.out
    assert json.loads(run("show", forked, "--json").out)["execution"]["output_data"] == {
        "name": "Ada", "needs": str(needs), "greeting": "Hello, Ada", "how": "twice",
        "worked": "twice",
    }  # fmt: skip
    assert again.exit_code == 2
    assert str(needs) in again.err


def test_failed_executions_are_forked_in_bulk_after_a_canary(run: Run, tmp_path: Path) -> None:
    needs = tmp_path / "flour"
    for number in range(3):
        failing(run, needs, f"e-{number}")
    bulk = ("fork", "--failed", "--since", "1h", "--json")
    planned = json.loads(run(*bulk, "--dry-run").out)
    spoiled = run(*bulk, "--canary", "1")
    needs.touch()
    forked = json.loads(run(*bulk, "--pipeline", "brittle", "--canary", "1").out)

    assert {one["origin"] for one in planned} == {"e-0", "e-1", "e-2"}
    assert {one["from_step"] for one in planned} == {"brittle"}
    assert all(one["execution_id"] is None for one in planned)
    assert spoiled.exit_code == 2
    assert "nothing else was forked" in spoiled.err
    for one in forked:
        assert run("watch", one["execution_id"]).exit_code == 0
    # The canary that failed stands for its origin; what was forked is not forked again.
    origins = {one["origin"] for one in forked}
    assert (len(forked), len(origins & {"e-0", "e-1", "e-2"})) == (3, 2)
    assert json.loads(run(*bulk, "--dry-run").out) == []


def test_a_changed_definition_is_tried_on_what_is_recorded(run: Run, tmp_path: Path) -> None:
    for name in ("Ada", "Bo"):
        run("run", "asking", "--input", json.dumps({"name": name}), "--id", name)
        asked(run, "resume", name, "--input", '{"baked": true}')
        assert run("watch", name).exit_code == 0
    changed = chain("Ask", "Greet")
    changed["flow"]["paths"][0]["condition"] = {
        "type": "expression", "source": "name", "operator": "==", "value": "Ada",
    }  # fmt: skip
    file = tmp_path / "changed.json"
    file.write_text(json.dumps(changed))

    told = run("replay-definition", str(file), "--pipeline", "asking", "--since", "1h")
    in_one_text = run("replay-definition", str(file), "--over", "pipeline=asking since=1h limit=9")
    none = run("replay-definition", str(file), "--over", "status=failed")
    as_json = run("replay-definition", str(file), "--json")

    assert (told.exit_code, as_json.exit_code, none.exit_code) == (3, 3, 0)
    assert in_one_text.out == told.out
    assert "1 executions go the same way, 1 would differ, 0 can't be told." in told.out
    assert json.loads(as_json.out)["different"]["Bo"]["recorded"] == ["greet"]
    assert run("replay-definition", str(tmp_path / "asking.json")).exit_code == 0


def test_a_question_is_answered_or_cancelled(run: Run) -> None:
    for execution_id in ("a-1", "a-2"):
        run("run", "asking", "--id", execution_id, "--input", '{"name": "Bo"}')
    asked(run, "resume", "a-1", "--input", '{"baked": true}')
    asked(run, "cancel", "a-2", "--reason", "out of flour")
    refused = run("resume", "a-2", "--input", "{}")

    assert run("watch", "a-1").exit_code == 0
    assert run("watch", "a-2").exit_code == 2
    assert is_one_sentence(refused)
    assert "has ended" in refused.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("fork", "e-1"), "steplog fork ID --from STEP"),
        (("fork", "e-1", "--failed"), "--since"),
        (("fork", "e-1", "--from", "a", "--input", "[]"), "no JSON object"),
        (("fork", "--failed", "--since", "soon"), "30m, 2h, 7d"),
        (("replay-definition", ORDER, "--over", "status=lost"), "status=STATUS"),
        (("replay-definition", ORDER, "--over", "recent"), "'recent' is no filter"),
        (("replay-definition", ORDER, "--over", "limit=0"), "limit=1000"),
    ],
)
def test_words_that_mean_nothing_are_refused_with_examples(
    arguments: tuple[str, ...], said: str
) -> None:
    ended = steplog(*arguments, env={"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1"})

    assert is_one_sentence(ended)
    assert said in ended.err
