"""MODULE:NAME on the command line: a pipeline that a module builds."""

import sys
from pathlib import Path

import pytest

from steplog.cli.inputs.pipeline_argument import definition_argument, pipeline_argument
from steplog.errors import BadInput
from tests.steplog.builder import sample_steps as sample

MODULE = sample.__name__


def test_a_module_and_a_name_lead_to_what_was_built() -> None:
    assert pipeline_argument(f"{MODULE}:built") == sample.built.definition
    assert definition_argument(f"{MODULE}:built")["name"] == "weather"


def test_a_file_does_too_and_its_steps_are_named_by_the_module(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "hello_flow_x.py").write_text(
        "from steplog import pipeline, step\n\n\n@step\ndef greet(name: str = 'world'):\n"
        "    return {'greeting': f'Hello, {name}!'}\n\n\nhello = pipeline('hello').then(greet)\n"
    )
    monkeypatch.setattr("sys.path", list(sys.path))

    found = definition_argument(f"{tmp_path}/hello_flow_x.py:hello")

    assert found["steps"] == [{"id": "greet", "module": "hello_flow_x", "step_class": "greet"}]


def test_a_name_known_to_the_executor_stays_a_name() -> None:
    assert pipeline_argument("weather") == "weather"


@pytest.mark.parametrize(
    ("text", "saying"),
    [
        (f"{MODULE}:nope", r"nope in .* is no pipeline \(it has built\)"),
        (f"{MODULE}:load", "load in .* is no pipeline"),
        (f"{MODULE}:A_TEXT", "is a text, no pipeline"),
        ("no_such_module_x:flow", "There is no module no_such_module_x in this folder"),
        ("no_such_file_x.py:flow", "There is no file no_such_file_x.py"),
        ("tests.steplog.cli.exiting_module:flow", "can't be imported: SystemExit: 3"),
        ("json:loads", r"is no pipeline \(it has none; make one with pipeline\(\)\)"),
    ],
)
def test_what_leads_to_no_pipeline_is_said_in_a_sentence(text: str, saying: str) -> None:
    with pytest.raises(BadInput, match=saying):
        pipeline_argument(text)
