"""What the executor tells Prometheus, from real owners of a partition."""

import re
from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from executor_service.metrics.execution_counts import (
    MAX_STEPS,
    OTHERS,
    AppendCounts,
    ExecutionCounts,
)
from executor_service.partition.owner import PartitionOwner
from executor_service.process.executor_metrics import ExecutorCollector
from executor_service.process.loop_monitor import EventLoopMonitor
from steplog_contracts import events as ev
from tests.executor.support.partition_harness import Owning


class Held:
    """A consumer that holds one partition and can't take another."""

    takeovers = 1

    def __init__(self, owning: Owning) -> None:
        self._owning = owning

    def owned(self) -> dict[int, PartitionOwner]:
        """Return the one."""
        return {0: self._owning.owner}

    def stuck_partitions(self) -> list[int]:
        """Return the other."""
        return [7]

    def unready(self) -> str | None:
        """Say why it is not ready."""
        return "Partition 7 can't be taken over."


@pytest.fixture
async def owning() -> Owning:
    """Return a process that owns a partition, has room for two executions, and counts."""
    made = Owning(capacity=2)
    made.context.counts = ExecutionCounts()
    return await made.begin()


def told(owning: Owning, appends: AppendCounts | None = None) -> str:
    """Return the metrics as text."""
    registry = CollectorRegistry()
    counted = appends or AppendCounts()
    loop = EventLoopMonitor()
    registry.register(ExecutorCollector(owning.context, Held(owning), counted, loop))
    return generate_latest(registry).decode()


def samples(text: str, name: str) -> Iterator[str]:
    """Yield the lines of a metric."""
    return (line for line in text.splitlines() if re.match(rf"steplog_executor_{name}\\b", line))


async def test_executions_steps_and_attempts_are_counted_by_outcome(owning: Owning) -> None:
    await owning.run("e-1", "Quick", "Quick")
    await owning.run("e-2", "Failing")

    text = told(owning)

    assert 'steplog_executor_executions_total{outcome="completed",pipeline="linear"} 1.0' in text
    assert 'steplog_executor_executions_total{outcome="failed",pipeline="linear"} 1.0' in text
    labels = 'outcome="completed",pipeline="linear",step="s1"'
    assert f"steplog_executor_steps_total{{{labels}}} 1.0" in text
    started = 'outcome="started",pipeline="linear",step="s1"'
    assert f"steplog_executor_attempts_total{{{started}}} 2.0" in text
    duration = 'le="+Inf",pipeline="linear",step="s1"'
    assert f"steplog_executor_step_duration_seconds_bucket{{{duration}}} 1.0" in text


async def test_what_waits_is_told_by_what_for(owning: Owning) -> None:
    for number in range(3):
        await owning.run(f"e-{number}", "Forever")
        await owning.run(f"l-{number}", "Forever")

    text = told(owning)

    assert "steplog_executor_in_flight 2.0" in text
    assert "steplog_executor_slots 2.0" in text
    assert re.search(r'steplog_executor_waiting\{reason="slot"\} [1-9]', text)
    assert re.search(r"steplog_executor_oldest_wait_seconds [0-9.]+", text)
    assert re.search(r'steplog_executor_open_commands\{partition="0"\} [1-9]', text)


async def test_a_partition_that_is_stuck_and_readiness_are_told(owning: Owning) -> None:
    appends = AppendCounts()
    appends.take(5, 0.25)
    text = told(owning, appends)

    assert 'steplog_executor_partition_stuck{partition="7"} 1.0' in text
    assert "steplog_executor_ready 0.0" in text
    assert "steplog_executor_append_seconds_sum 0.25" in text
    assert "steplog_executor_events_appended_total 5.0" in text
    assert "steplog_executor_takeovers_total 1.0" in text


def test_items_of_a_map_count_as_one_step_and_labels_are_bounded() -> None:
    counts = ExecutionCounts()
    take = counts.of("many")
    for number in range(3):
        take(ev.StepSkipped(step_id=f"each[{number}]"))
    for number in range(2 * MAX_STEPS):
        take(ev.StepSkipped(step_id=f"step-{number}"))

    assert counts.steps["many", "each", "skipped"] == 3
    assert len(counts.steps) == MAX_STEPS + 1
    assert counts.steps["many", OTHERS, "skipped"] == MAX_STEPS + 1
