"""Forks of many failed executions: found, tried on a few, then carried out."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.progress import track

from steplog.cli.connect.sources import open_client
from steplog.cli.connect.submit import why_not_applied
from steplog.cli.inputs.filters import matching
from steplog.cli.views.console import err, out, plain_table, print_json
from steplog.client.client import Steplog
from steplog.client.read_api import Parameter, path_of
from steplog.client.sender import Submitted
from steplog.errors import CommandWasRefused, ExecutionDidNotComplete
from steplog.settings import SteplogSettings
from steplog_contracts.records import ExecutionRecord, ExecutionStatus, StepStatus

CANARY_TIMEOUT_S = 3600.0


@dataclass(frozen=True, slots=True)
class BulkFork:
    """What to fork, and how carefully."""

    which: Mapping[str, Parameter]  # As the API is asked for them.
    from_step: str | None  # None: the step that failed.
    input_patch: Mapping[str, Any]
    limit: int
    canary: int
    dry_run: bool


@dataclass(frozen=True, slots=True)
class ForkPoint:
    """One execution and where to fork it."""

    execution: ExecutionRecord
    step_id: str
    iteration: int


async def fork_failed(settings: SteplogSettings, wanted: BulkFork, *, as_json: bool) -> None:
    """Fork failed executions and tell which.

    Raises:
        ExecutionDidNotComplete: one of the canaries did not; the rest is left alone.
        CommandWasRefused: the executor refused some; the others are on their way.
    """
    async with open_client(settings) as steplog:
        points = [point async for point in _points(steplog, wanted)]
        if wanted.dry_run:
            _tell(points, [], as_json=as_json)
            return
        first, rest = points[: wanted.canary], points[wanted.canary :]
        canaries = await _fork_all(steplog, first, wanted)
        await _until_completed(steplog, canaries)
        forked = [*canaries, *await _fork_all(steplog, rest, wanted)]
        refused = await _refusals(steplog, forked)
    _tell(points, forked, as_json=as_json)
    if refused:
        raise CommandWasRefused(f"{len(refused)} of {len(forked)} were refused: {refused[0]}")


async def _points(steplog: Steplog, wanted: BulkFork) -> AsyncIterator[ForkPoint]:
    async for execution in matching(steplog.read, wanted.which, wanted.limit):
        if await _was_tried_again(steplog, execution) or await _is_redone(steplog, execution):
            continue
        point = await _point(steplog, execution, wanted.from_step)
        if point is not None:
            yield point


async def _was_tried_again(steplog: Steplog, execution: ExecutionRecord) -> bool:
    """Say whether a fork or retry took its work over: the newest of a line is what counts."""
    told = await steplog.read.get(path_of(execution.execution_id, "relatives"))
    return bool(told["forks"] or told["retries"])


async def _is_redone(steplog: Steplog, execution: ExecutionRecord) -> bool:
    """Say whether it failed along with the execution that had it run, whose fork runs it again."""
    if execution.parent_execution_id is None:
        return False
    parent = await steplog.get(execution.parent_execution_id)
    return parent is not None and parent.status is ExecutionStatus.FAILED


async def _point(
    steplog: Steplog, execution: ExecutionRecord, from_step: str | None
) -> ForkPoint | None:
    """Return where to fork; None where the execution never came there."""
    steps = await steplog.read.steps(execution.execution_id, whole=False)
    if from_step is not None:
        there = [step for step in steps if step.step_id == from_step and step.started_at]
        return ForkPoint(execution, from_step, there[0].iteration) if there else None
    failed = [step for step in steps if step.status is StepStatus.FAILED]
    return ForkPoint(execution, failed[-1].step_id, failed[-1].iteration) if failed else None


async def _fork_all(
    steplog: Steplog, points: Sequence[ForkPoint], wanted: BulkFork
) -> list[Submitted]:
    return [
        await steplog.fork(
            point.execution.execution_id, point.step_id, iteration=point.iteration,
            input_patch=wanted.input_patch,
        )
        for point in track(points, "Forking", console=err, disable=not points)
    ]  # fmt: skip


async def _until_completed(steplog: Steplog, canaries: Sequence[Submitted]) -> None:
    results = await asyncio.gather(
        *(steplog.result(canary, CANARY_TIMEOUT_S) for canary in canaries)
    )
    for execution in results:
        if execution.status is not ExecutionStatus.COMPLETED:
            raise ExecutionDidNotComplete(
                f"Canary {execution.execution_id} {execution.status}: {execution.error_message}; "
                "nothing else was forked."
            )


async def _refusals(steplog: Steplog, forked: Sequence[Submitted]) -> list[str]:
    reasons = []
    for one in forked:
        try:
            await why_not_applied(steplog, one)
        except CommandWasRefused as refusal:
            reasons.append(str(refusal))
    return reasons


def _tell(points: Sequence[ForkPoint], forked: Sequence[Submitted], *, as_json: bool) -> None:
    new_ids: list[str | None] = [one.execution_id for one in forked]
    new_ids = new_ids or [None] * len(points)
    rows = [
        {"origin": point.execution.execution_id, "from_step": point.step_id,
         "iteration": point.iteration, "execution_id": new_id}
        for point, new_id in zip(points, new_ids, strict=True)
    ]  # fmt: skip
    if as_json:
        print_json(rows)
        return
    table = plain_table("origin", "from step", "visit", "new execution")
    for row in rows:
        table.add_row(*(str(value) if value is not None else "-" for value in row.values()))
    out.print(table)
    said = "forked" if forked else "would be forked"
    out.print(f"{len(points)} executions {said}.")
