"""`steplog watch`: one execution, live, until it has ended."""

import asyncio
from typing import Annotated

import typer
from rich.console import Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.text import Text
from rich.tree import Tree

from contracts.records import ExecutionStatus, StepRecord, StepStatus
from steplog.cli.console import STATUS_STYLES, duration, out, styled_status
from steplog.cli.options import DataDir, DataFile, EmbeddedMode, settings_with
from steplog.cli.sources import open_read
from steplog.cli.submitting import ExecutionId
from steplog.errors import ExecutionDidNotComplete
from steplog.settings import SteplogSettings
from steplog.watching import Glimpse, glimpses

SIGNS = {
    StepStatus.COMPLETED: "✓",
    StepStatus.FAILED: "✗",
    StepStatus.RUNNING: "●",
    StepStatus.WAITING_FOR_HUMAN: "?",
    StepStatus.SKIPPED: "-",
    StepStatus.CANCELLED: "■",
}
MAX_STEPS_SHOWN = 200


def watch(
    execution_id: ExecutionId,
    plain: Annotated[
        bool,
        typer.Option("--plain", help="A line for each change, as where output is no terminal."),
    ] = False,
    data_dir: DataDir = None,
    embedded: EmbeddedMode = False,
    data: DataFile = None,
) -> None:
    """Watch an execution until it has ended; exits with 2 if it failed or was cancelled."""
    settings = settings_with(data_dir, embedded=embedded, data=data)
    live = out.is_terminal and not plain
    last = asyncio.run(
        _watch_live(settings, execution_id) if live else _tell(settings, execution_id)
    )
    if last.execution.status is not ExecutionStatus.COMPLETED:
        raise ExecutionDidNotComplete(
            f"Execution {execution_id} {last.execution.status}: {last.execution.error_message}"
        )


async def _watch_live(settings: SteplogSettings, execution_id: str) -> Glimpse:
    async with open_read(settings) as read:
        with Live(console=out, auto_refresh=False) as display:
            async for glimpse in glimpses(read, execution_id):
                display.update(tree(glimpse), refresh=True)
        return glimpse


async def _tell(settings: SteplogSettings, execution_id: str) -> Glimpse:
    told: dict[tuple[str, int], str] = {}
    async with open_read(settings) as read:
        async for glimpse in glimpses(read, execution_id):
            for step in glimpse.steps:
                if told.get((step.step_id, step.iteration)) != step.status:
                    told[step.step_id, step.iteration] = step.status
                    out.print(_line(step))
        out.print(f"{escape(execution_id)} {styled_status(glimpse.execution.status)}")
        return glimpse


def tree(glimpse: Glimpse) -> RenderableType:
    """Return the execution and its visits, the newest ones where there are many."""
    execution = glimpse.execution
    took = duration(execution.execution_time_ms)
    head = f"[bold]{escape(execution.execution_id)}[/] {escape(execution.pipeline_name or '')} "
    root = Tree(f"{head}{styled_status(execution.status)} [dim]{took}[/]")
    hidden = len(glimpse.steps) - MAX_STEPS_SHOWN
    if hidden > 0:
        root.add(f"[dim]{hidden} earlier visits[/]")
    for step in glimpse.steps[max(0, hidden) :]:
        root.add(_line(step))
    if execution.error_message:
        return Group(root, Text(execution.error_message, style="red"))
    return root


def _line(step: StepRecord) -> str:
    style = STATUS_STYLES.get(step.status, "default")
    visit = f" (visit {step.iteration})" if step.iteration > 1 else ""
    tries = f" [yellow]try {step.attempt}[/]" if step.attempt > 1 else ""
    took = f" [dim]{duration(step.execution_time_ms)}[/]" if step.execution_time_ms else ""
    name = f"[{style}]{SIGNS.get(step.status, '·')}[/] {escape(step.step_id)}{visit}"
    return f"{name} {styled_status(step.status)}{tries}{took}"
