"""`ls`, `show`, `waits`, `stats` and `watch`, against a server of embedded mode."""

import json
from collections.abc import Iterator

import pytest

from tests.steplog.cli.command_line import is_one_sentence
from tests.steplog.cli.example_executions import Looked, looked_at

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def looked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Looked]:
    """Return the server."""
    with looked_at(tmp_path_factory.mktemp("looked")) as looked:
        yield looked


@pytest.mark.parametrize(
    ("arguments", "listed"),
    [
        (("--status", "completed", "--status", "waiting_for_human"), {"good-1", "asks-1"}),
        (("--metadata", "customer=42"), {"good-1"}),
        (("--pipeline", "greet", "--since", "1h"), {"good-1"}),
        (("--error", "OVEN", "--pipeline", "greet-fail", "-n", "1", "--reverse"), {"bad-1"}),
        (("--waiting",), {"asks-1"}),
        (("--min-duration", "1h"), set()),
        (("--until", "2020-01-01"), set()),
    ],
)
def test_a_list_is_narrowed(looked: Looked, arguments: tuple[str, ...], listed: set[str]) -> None:
    told = looked.told("ls", *arguments)

    assert {item["execution_id"] for item in told["items"]} == listed


def test_a_list_is_sorted_by_what_is_asked(looked: Looked) -> None:
    items = looked.told("ls", "--sort", "duration", "--reverse")["items"]

    took = [item["execution_time_ms"] for item in items]
    assert len(took) == 3
    assert took == sorted(took)


def test_a_list_ends_with_its_counts(looked: Looked) -> None:
    ended = looked.run("ls")

    assert "4 in all: " in ended.out
    assert "failed 2" in ended.out
    assert "\x1b" not in ended.out


def test_an_execution_is_shown_with_its_forks_and_its_flow(looked: Looked) -> None:
    shown, flow = looked.run("show", "bad-1").out, looked.run("show", "bad-1", "--graph").out
    fork = looked.told("show", "bad-1")["relatives"]["forks"][0]["execution_id"]

    assert f"forks     {fork} (failed)" in shown
    assert "bad-1, a fork at step fail" in looked.run("show", fork).out
    assert "✓ greet" in flow
    assert "└─▶ ✗ fail" in flow


def test_a_definition_is_printed_as_it_was_given(looked: Looked) -> None:
    definition = json.loads(looked.run("show", "good-1", "--definition").out)

    assert definition["name"] == "greet"
    assert definition["steps"][0]["step_class"] == "Greet"


def test_a_question_is_listed_and_shown_with_how_to_answer_it(looked: Looked) -> None:
    listed, shown = looked.run("waits").out, looked.run("show", "asks-1").out

    assert "Bake it?" in listed
    assert "steplog resume asks-1 --step ask --input JSON" in shown
    assert looked.run("waits", "good-1").out == "It asked nobody.\n"


def test_figures_are_told_by_pipeline_and_by_step(looked: Looked) -> None:
    pipelines = {item["pipeline_id"]: item for item in looked.told("stats")["items"]}
    steps = looked.run("stats", "--steps").out

    assert (pipelines["greet-fail"]["failed"], pipelines["greet"]["completed"]) == (2, 1)
    assert [line.split()[:3] for line in steps.splitlines() if line.startswith("greet ")] == [
        ["greet", "greet", "1"]
    ]
    assert "from" in looked.run("stats", "--every", "1h").out.splitlines()[0]


def test_changes_are_lines_of_json_for_programs(looked: Looked) -> None:
    ended = looked.run("watch", "bad-1", "--json")
    last = json.loads(ended.out.splitlines()[-1])

    assert ended.exit_code == 2
    assert last["execution"]["status"] == "failed"
    assert [step["status"] for step in last["steps"]] == ["completed", "failed"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("ls", "--min-duration", "soon"), "'soon' is no duration; give one such as 200ms"),
        (("ls", "--metadata", "customer"), "'customer' is no pair; give --metadata as KEY=VALUE"),
        (("ls", "--metadata", "=paris"), "'=paris' is no pair; give --metadata as KEY=VALUE"),
        (("ls", "--since", "whenever"), "'whenever' is no time"),
        (("ls", "--since", "999999d"), "'999999d' is no time"),
        (("ls", "--error", "x" * 300), "error"),
        (("ls", "--cursor", "nonsense"), "cursor"),
        (("ls", "--as-of", "1h", "--waiting"), "waiting"),
        (("ls", "--as-of", "3000-01-01"), "as_of"),
        (("stats", "--window", "400d"), "--window 400d is out of range; give from 1s to 366d"),
        (("stats", "--window", "7d", "--every", "1s"), "bucket_s is too small"),
        (("stats", "--steps", "--every", "1h"), "leave --steps out"),
        (("show", ""), "'' can be no id of an execution"),
        (("show", "no/such?id"), "'no/such?id' can be no id"),
        (("show", "good-1", "--graph", "--as-of", "1h"), "Give one of"),
        (("waits", "nobody"), "There is no execution nobody"),
        (("payload", "good-1", "abc"), "A sha256 has 64 hexadecimal digits"),
        (("payload", "good-1", "a" * 64), "No record of execution good-1 refers to"),
        (("watch", "nobody"), "There is no execution nobody"),
        (("events", "good-1\n'; drop table x"), "drop table"),
    ],
)
def test_what_cannot_be_asked_is_one_sentence_with_the_remedy(
    looked: Looked, arguments: tuple[str, ...], said: str
) -> None:
    ended = looked.run(*arguments)

    assert is_one_sentence(ended), ended
    assert ended.exit_code == 1
    assert said in ended.err
