"""`steplog run`: what can't be run is said before anything is sent."""

import json
from pathlib import Path

import pytest

from tests.steplog.cli.command_line import is_one_sentence, steplog
from tests.steplog.cli.plain_steps import chain

pytestmark = pytest.mark.e2e
SCHEMA = {"properties": {"rows": {"type": "integer", "minimum": 1}}}


@pytest.fixture
def definition(tmp_path: Path) -> str:
    """Return a definition's file that asks for rows."""
    file = tmp_path / "rows.json"
    file.write_text(json.dumps({**chain("Greet"), "input_schema": SCHEMA}))
    return str(file)


@pytest.mark.parametrize(
    ("given", "said"), [("[1]", "give a JSON object"), ('{"rows": 0}', "breaks the pipeline's")]
)
def test_input_that_breaks_the_schema_is_not_sent(
    definition: str, tmp_path: Path, given: str, said: str
) -> None:
    ended = steplog("run", definition, "-i", given, f"--data={tmp_path / 'steplog.db'}")

    assert is_one_sentence(ended)
    assert said in ended.err
    assert "is in the log" not in ended.out


@pytest.mark.parametrize("rows", ["abc", "0", "1.5", "null", "[1]"])
def test_a_parameter_that_breaks_the_schema_is_not_sent(
    definition: str, tmp_path: Path, rows: str
) -> None:
    place = f"--data={tmp_path / 'steplog.db'}"

    ended = steplog("run", definition, "--param", f"rows={rows}", place)

    assert is_one_sentence(ended)
    assert "--param breaks the pipeline's input_schema: $.rows" in ended.err


def test_a_run_says_its_command(definition: str, tmp_path: Path) -> None:
    place = f"--data={tmp_path / 'steplog.db'}"

    ended = steplog("run", definition, "-i", '{"rows": 1}', place)

    assert ended.exit_code == 0, ended.err
    assert "Its command is " in ended.out
