"""Large values in embedded mode: a folder beside the file, with nothing to set."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from executor_service import Step
from steplog.embedded import Embedded
from steplog.errors import NotAnswered
from steplog_contracts.stored_value import StoredValue
from tests.e2e.large_steps import ROW
from tests.e2e.test_large_payloads import WANTED_ROWS, definition


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return where the file will be."""
    return tmp_path / "steplog.db"


async def test_large_values_go_through_a_file_and_come_back(file: Path) -> None:
    async with Embedded.open(file) as steplog:
        submitted = await steplog.run(definition(), {"given": "g" * 2_000_000})
        execution = await steplog.result(submitted, timeout_s=60)
        assert execution.references is not None
        kept = execution.references["/output_data/rows"]
        rows = await steplog.payload(execution.execution_id, kept.sha256)

    assert execution.output_data["characters"] == len(ROW) * len(WANTED_ROWS)
    assert execution.output_data["rows"] == rows == WANTED_ROWS
    assert Path(kept.uri.removeprefix("file://")).parts[-3] == f"{file.name}-payloads"


async def test_every_reading_has_the_value_itself(file: Path) -> None:
    async with Embedded.open(file) as steplog:
        submitted = await steplog.run(definition(), {"given": "g" * 100_000})
        await steplog.result(submitted, timeout_s=60)
        execution = await steplog.get(submitted.execution_id)
        first, second = await steplog.steps(submitted.execution_id)

    assert execution is not None
    assert execution.input_data == {"given": "g" * 100_000}
    assert execution.output_data["rows"] == WANTED_ROWS
    assert first.output_data["rows"] == second.input_data["rows"] == WANTED_ROWS


async def test_a_list_and_a_watch_say_what_is_stored_apart(file: Path) -> None:
    async with Embedded.open(file) as steplog:
        submitted = await steplog.run(definition(), {"given": "g" * 100_000})
        await steplog.result(submitted, timeout_s=60)
        (listed,) = (await steplog.executions()).items
        seen = [glimpse async for glimpse in steplog.watch(submitted.execution_id)]
        fetched = await listed.output_data["rows"].fetch()

    assert isinstance(listed.output_data["rows"], StoredValue)
    assert isinstance(seen[-1].execution.output_data["rows"], StoredValue)
    assert fetched == WANTED_ROWS


async def test_a_value_that_is_gone_is_not_nothing(file: Path) -> None:
    async with Embedded.open(file) as steplog:
        submitted = await steplog.run(definition(), {"given": "g" * 100_000})
        await steplog.result(submitted, timeout_s=60)
        shutil.rmtree(f"{file}-payloads")
        execution = await steplog.get(submitted.execution_id)
        assert execution is not None
        with pytest.raises(NotAnswered, match="is not there"):
            await execution.output_data["rows"].fetch()

    assert "stored apart" in str(execution.output_data["rows"])
    assert "$stored" in execution.model_dump_json()


def test_the_blocking_client_fetches_without_await(file: Path) -> None:
    with Embedded.blocking(file) as steplog:
        submitted = steplog.run(definition(), {"given": "g" * 100_000})
        execution = steplog.result(submitted, 60)
        (listed,) = steplog.executions().items
        fetched = listed.output_data["rows"].fetch()

    assert execution.output_data["rows"] == fetched == WANTED_ROWS


class AskAtLength(Step):
    """A step whose question is longer than the log takes."""

    async def run(self, data: dict[str, Any]) -> dict[str, Any]:
        """Ask."""
        return {"status": "human_input_required", "prompt": "why? " * 400_000}


class TakeConfig(Step):
    """A step that returns its own configuration."""

    async def run(self, data: dict[str, Any]) -> dict[str, Any]:
        """Return it."""
        return {"said": self.config["say"], "given": data["n"]}


def of_one(step_class: str, **more: Any) -> dict[str, Any]:
    step = {"id": "a", "module": __name__, "step_class": step_class, **more}
    return {"name": "p", "steps": [step], "flow": {"start_at": "a", "paths": []}}


async def test_a_question_that_is_too_long_is_told_so(file: Path) -> None:
    async with Embedded.open(file) as steplog:
        submitted = await steplog.run(of_one("AskAtLength"))
        execution = await steplog.result(submitted, timeout_s=60)

    assert execution.error_message is not None
    assert "what is large in it is its prompt" in execution.error_message


async def test_a_config_sees_the_inputs_of_its_step(file: Path) -> None:
    more = {"inputs": {"n": "{{ pipeline_input.x }}"}, "config": {"say": "{{ n }}!"}}
    async with Embedded.open(file) as steplog:
        submitted = await steplog.run(of_one("TakeConfig", **more), {"x": 5, "n": 9})
        execution = await steplog.result(submitted, timeout_s=60)

    assert execution.output_data["said"] == "5!"
    assert execution.output_data["given"] == 5
