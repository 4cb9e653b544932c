"""`steplog init`: a project to begin with, whose test passes."""

import keyword
import re
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.markup import escape

from steplog.cli.views.console import out
from steplog.errors import BadInput

_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,99}")
_STEPS: Final = '''"""The steps of {name}: functions whose parameters come from the data by name."""

from steplog import step


@step
def load(city: str = "Oslo"):
    """Return readings; yours come from a file, a database or the network."""
    return {{"readings": [3.5, 4.0, 2.5], "city": city}}


@step(retries=3, timeout_seconds=30)
def average(readings: list[float]):
    """Return their mean."""
    return {{"mean": sum(readings) / len(readings)}}


@step
def warn(city: str, mean: float):
    """Say that it is cold."""
    return {{"warning": f"{{city}} is cold: {{mean:.1f}} degrees."}}
'''
_FLOW: Final = '''"""The pipeline: which step follows which."""

from {name}.steps import average, load, warn
from steplog import pipeline, when

flow = pipeline("{name}")
mean = flow.then(load).then(average)
mean.then(warn, when=when("result.mean", "<", 5))
'''
_TEST: Final = '''"""Tests of the pipeline; `steplog_run` comes with steplog."""

from {name}.flow import flow


def test_cold_readings_give_a_warning(steplog_run):
    ran = steplog_run(flow, {{"city": "Bergen"}})

    ran.assert_completed()
    assert ran.output["warning"] == "Bergen is cold: 3.3 degrees."


def test_an_average_that_fails_is_tried_again(steplog_run):
    outcomes = [ConnectionError, {{"mean": 12.0}}]
    ran = steplog_run(flow, stubs={{"average": outcomes}}, clock="virtual")

    assert ran.path == ["load", "average"]
    assert ran.step("average").attempt == 2
'''
_README: Final = """# {name}

A steplog project: steps in `{name}/steps.py`, the pipeline in `{name}/flow.py`.

    steplog check {name}.flow:flow --graph
    steplog run {name}.flow:flow --embedded --wait
    pytest

`--embedded` needs nothing but Python. With Kafka and PostgreSQL, started for you on this machine:

    steplog up --steps '{name}.*' --detach
    steplog run {name}.flow:flow --input '{{"city": "Bergen"}}' --wait
    steplog down
"""
_PYPROJECT: Final = """[project]
name = "{dashed}"
version = "0.1.0"
requires-python = ">=3.11"
dependencies = ["steplog"]

[project.optional-dependencies]
test = ["pytest"]

[tool.pytest.ini_options]
testpaths = ["tests"]
pythonpath = ["."]
"""
_FILES: Final = {
    "README.md": _README,
    "pyproject.toml": _PYPROJECT,
    ".gitignore": "__pycache__/\n.steplog/\nsteplog.db*\n",
    "{name}/__init__.py": '"""Pipelines of {name}."""\n',
    "{name}/steps.py": _STEPS,
    "{name}/flow.py": _FLOW,
    "tests/test_flow.py": _TEST,
}


def init(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Of the folder and its package.")],
) -> None:
    """Make a project to begin with: steps, a pipeline, its test.

    $ steplog init weather
    """
    if not _NAME.fullmatch(name) or keyword.iskeyword(name):
        raise BadInput(
            f"{name!r} can be no Python package; use lower case letters, digits and _, and begin "
            "with a letter."
        )
    folder = Path(name)
    if folder.exists():
        raise BadInput(f"{folder} is there already; choose another name, or remove it.")
    for path, text in _FILES.items():
        file = folder / path.format(name=name)
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text.format(name=name, dashed=name.replace("_", "-")))
        except OSError as error:
            raise BadInput(f"{file} can't be written: {error.strerror}.") from error
    out.print(f"[green]✓[/] {escape(name)}/ is made. What to type next:")
    for line in (f"cd {name}", f"steplog run {name}.flow:flow --embedded --wait", "pytest"):
        out.print(f"  {escape(line)}", soft_wrap=True)
