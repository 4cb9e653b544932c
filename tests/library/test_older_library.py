"""Each code block of the older library's architecture page, as it is written there.

Only the imports are ours. What a block leaves open (`...`) is given a value.
"""

import json
import sys
from collections.abc import AsyncIterator
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from executor_service import (
    ConnectionConfig,
    DatabaseManager,
    GraphPipelineRunner,
    Pipeline,
    ServiceRegistry,
    Step,
    create_step_from_json,
    load_step_class,
)
from tracker_service import ExecutionTracker

STEP_MODULE = """
from typing import Any, Dict

from executor_service import Step


class Step1(Step):
    async def run(self, input: Dict[str, Any]) -> Dict[str, Any]:
        topic = input.get("topic")
        transformed = f"PROCESSED_{topic.upper()}"
        return {"topic": transformed}
"""
STEP_DEFINITION = {
    "id": "step1",
    "name": "Data Preparation",
    "step_class": "Step1",
    "module": "tests_pipelines.simple_pipeline.steps.step1",
    "config": {},
}
FLOW = {
    "start_at": "step1",
    "paths": [
        {"from_step": "step1", "to_step": "step2"},
        {"from_step": "step2", "to_step": "step3"},
    ],
}


@pytest.fixture
def step_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Write the page's step module to where Python finds it."""
    package = tmp_path / "tests_pipelines" / "simple_pipeline" / "steps"
    package.mkdir(parents=True)
    (package / "step1.py").write_text(STEP_MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.database)])
def config(request: pytest.FixtureRequest, tmp_path: Path) -> ConnectionConfig:
    """Return the two configurations of the page's "Swapping Databases"."""
    if request.param == "sqlite":
        return ConnectionConfig(provider="sqlite", database=str(tmp_path / "test.db"))
    where = ConnectionConfig.from_url(request.getfixturevalue("postgres_url"))
    return ConnectionConfig(
        provider="postgresql",
        host=where.host,
        port=where.port,
        database=where.database,
        username=where.username,
        password=where.password,
    )


@pytest.fixture
async def db(config: ConnectionConfig) -> AsyncIterator[DatabaseManager]:
    """Return `DatabaseManager(ConnectionConfig(...))`."""
    manager = DatabaseManager(config)
    yield manager
    await manager.disconnect()


@pytest.fixture
async def tracker(db: DatabaseManager) -> AsyncIterator[ExecutionTracker]:
    """Return `ExecutionTracker(db)`."""
    tracker = ExecutionTracker(db)
    yield tracker
    await tracker.close()


class Doubled(Step):
    """Doubles a number."""

    async def run(self, data: dict[str, Any]) -> dict[str, Any]:
        return {"n": data["n"] * 2}


def definition(*ids: str) -> dict[str, Any]:
    """Return a definition of steps that double a number, one after the other."""
    steps = [{"id": one, "module": __name__, "step_class": "Doubled"} for one in ids]
    paths = [{"from_step": a, "to_step": b} for a, b in pairwise(ids)]
    return {"name": "doubling", "steps": steps, "flow": {"start_at": ids[0], "paths": paths}}


async def test_a_run_returns_input_output_and_steps() -> None:
    result = await GraphPipelineRunner().run_pipeline_from_json(definition("step1"), {"n": 2})

    assert result == {
        "input": {"n": 2},
        "output": {"n": 4},
        "steps": [
            {"step_name": "step1", "step_index": 0, "result": {"n": 4}, "status": "completed"}
        ],
    }


async def test_the_pipeline_service_tracks_its_runs_as_written(db: DatabaseManager) -> None:
    class PipelineService:
        def __init__(self, db_manager: DatabaseManager) -> None:
            self.services = ServiceRegistry()
            self.services.register("database", db_manager)
            self.tracker = ExecutionTracker(db_manager)
            self.services.register("execution_tracker", self.tracker)

        async def run(self, config: Any, input_data: Any) -> Any:
            graph_runner = GraphPipelineRunner(self.services)
            return await graph_runner.run_pipeline_from_json(config, input_data)

        async def get_execution(self, job_id: str) -> Any:
            if self.tracker:
                record = await self.tracker.get_execution(job_id)
                step_records = await self.tracker.get_execution_steps(job_id)
                return {**(record or {}), "steps": step_records}
            return None

    service = PipelineService(db)
    service.services.register("execution_id", "job-1")

    result = await service.run(definition("step1", "step2"), {"n": 2})
    shown = await service.get_execution("job-1")

    assert result["output"] == {"n": 8}
    assert (shown["status"], shown["output_data"]) == ("completed", {"n": 8})
    assert [(s["step_id"], s["status"], s["output_data"]) for s in shown["steps"]] == [
        ("step1", "completed", {"n": 4}),
        ("step2", "completed", {"n": 8}),
    ]
    assert (await service.tracker.get_execution_statistics())["completed_executions"] == 1
    await service.tracker.close()


async def test_the_core_loop_tracks_a_step_by_hand(tracker: ExecutionTracker) -> None:
    execution_id = await tracker.start_execution("p", "P", {"topic": "machine learning"}, 1)
    step = Doubled("step1", {})

    step_execution_id = await tracker.start_step_execution(
        execution_id,
        "step1",
        "Data Preparation",
        "task",
        {"topic": "machine learning"},
        {"source": "user_request", "priority": "high"},
    )
    step_result = await step.run({"n": 1})
    await tracker.complete_step_execution(step_execution_id, "completed", step_result)
    await tracker.update_execution_status(execution_id, "completed", step_result)
    (record,) = await tracker.get_execution_steps(execution_id)

    assert list(record)[:13] == [
        "step_execution_id", "execution_id", "step_id", "step_name", "step_type", "status",
        "started_at", "completed_at", "input_data", "output_data", "error_message",
        "execution_time_ms", "retry_count",
    ]  # fmt: skip
    assert record["step_execution_id"] == step_execution_id
    assert (record["step_name"], record["status"]) == ("Data Preparation", "completed")
    assert record["input_data"] == {"topic": "machine learning"}
    assert (record["output_data"], record["error_message"]) == ({"n": 2}, None)
    assert datetime.fromisoformat(record["started_at"]).tzinfo is not None
    assert isinstance(record["execution_time_ms"], int | float)
    assert (record["retry_count"], isinstance(record["metadata"], dict)) == (0, True)


async def test_a_tracker_of_another_program_goes_on_where_the_first_one_stopped(
    db: DatabaseManager, tracker: ExecutionTracker
) -> None:
    """The history is in the rows, not in the object."""
    execution_id = await tracker.start_execution("p", "P", {"n": 1}, 1)
    step_id = await tracker.start_step_execution(execution_id, "a")
    other = ExecutionTracker(db)

    await other.complete_step_execution(step_id, "failed", None, "no such city", 2)
    await tracker.update_execution_status(execution_id, "failed", None, "no such city")
    record = await other.get_execution(execution_id)
    await other.close()

    assert record is not None
    assert (record["status"], record["error_message"]) == ("failed", "no such city")
    assert (record["failed_steps"], record["total_steps"]) == (1, 1)


@pytest.mark.usefixtures("step_module")
async def test_a_step_is_loaded_and_made_from_its_json() -> None:
    step_class = load_step_class(STEP_DEFINITION["module"], STEP_DEFINITION["step_class"])  # type: ignore[arg-type]
    step = create_step_from_json(json.loads(json.dumps(STEP_DEFINITION)))

    result = await step.run({"topic": "machine learning"})

    assert isinstance(step, step_class)
    assert step.name == "step1"
    assert result == {"topic": "PROCESSED_MACHINE LEARNING"}


def test_the_execution_path_follows_the_paths_from_the_start() -> None:
    steps = [Doubled(name, {}) for name in ("step3", "step1", "step2")]

    assert Pipeline("p", steps, FLOW)._build_execution_path() == ["step1", "step2", "step3"]


async def test_a_pipeline_runs_with_and_without_a_tracker(tracker: ExecutionTracker) -> None:
    name, flow = "p", {"start_at": "step1", "paths": []}
    steps = [Doubled("step1", {})]
    services = ServiceRegistry()
    services.register("execution_tracker", tracker)
    tracked = Pipeline(name, steps, flow, services)
    untracked = Pipeline(name, steps, flow, ServiceRegistry())

    outputs = [(await pipeline.run({"n": 1}))["output"] for pipeline in (tracked, untracked)]

    assert outputs == [{"n": 2}, {"n": 2}]
    assert len(await tracker.get_recent_executions()) == 1
