"""`steplog watch`: one execution, live, until it has ended."""

import asyncio
from contextlib import AbstractContextManager, aclosing
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.text import Text
from rich.tree import Tree

from steplog.cli.connect.sources import open_read
from steplog.cli.connect.submit import ExecutionId
from steplog.cli.inputs.options import DataDir, DataFile, EmbeddedMode, settings_with
from steplog.cli.views.console import (
    STATUS_STYLES,
    duration,
    out,
    print_json_line,
    short_json,
    styled_status,
)
from steplog.cli.views.flow import SIGNS
from steplog.cli.views.hints import command_line
from steplog.client.watch import ExecutionView, glimpses
from steplog.errors import ExecutionDidNotComplete
from steplog.settings import SteplogSettings
from steplog_contracts.records import ExecutionStatus, StepRecord, StepStatus

GOING_ON = frozenset({StepStatus.RUNNING, StepStatus.WAITING_FOR_HUMAN})
MAX_STEPS_SHOWN = 200


def watch(
    execution_id: ExecutionId,
    plain: Annotated[
        bool,
        typer.Option("--plain", help="A line for each change, as where output is no terminal."),
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="A line of JSON for each change, for programs.")
    ] = False,
    data_dir: DataDir = None,
    embedded: EmbeddedMode = False,
    data: DataFile = None,
) -> None:
    """Watch an execution until it has ended; exits with 2 if it failed or was cancelled.

    Ctrl-C ends the watching and leaves the execution alone.

    $ steplog watch ID
    """
    settings = settings_with(data_dir, embedded=embedded, data=data)
    if as_json:
        telling: Telling = JsonLines()
    else:
        telling = Screen() if out.is_terminal and not plain else Lines()
    last = asyncio.run(_watch(settings, execution_id, telling))
    if last.execution.status is not ExecutionStatus.COMPLETED:
        raise ExecutionDidNotComplete.of(last.execution, command_line("retry", execution_id))


async def _watch(settings: SteplogSettings, execution_id: str, telling: "Telling") -> ExecutionView:
    async with open_read(settings) as read, aclosing(glimpses(read, execution_id)) as seen:
        with telling:
            async for glimpse in seen:
                telling.tell(glimpse)
    return glimpse


class Telling(AbstractContextManager["Telling"]):
    """How an execution is told while it is watched."""

    def tell(self, glimpse: ExecutionView) -> None:
        """Tell how it stands."""
        raise NotImplementedError

    def __exit__(self, *_ended: object) -> None:
        """Nothing is held."""


class Screen(Telling):
    """A tree that is drawn over itself; times of what runs go on between two changes."""

    def __init__(self) -> None:
        self._seen: ExecutionView | None = None
        self._live = Live(console=out, refresh_per_second=4, get_renderable=self._tree)

    def __enter__(self) -> "Screen":
        self._live.start()
        return self

    def __exit__(self, *_ended: object) -> None:
        self._live.stop()

    def tell(self, glimpse: ExecutionView) -> None:
        """Draw it."""
        self._seen = glimpse
        self._live.refresh()

    def _tree(self) -> RenderableType:
        return "" if self._seen is None else tree(self._seen, datetime.now(UTC))


class Lines(Telling):
    """A line for each change, for files and pipes."""

    def __init__(self) -> None:
        self._told: dict[str, str] = {}

    def tell(self, glimpse: ExecutionView) -> None:
        """Print what changed."""
        for step in glimpse.steps:
            stands = f"{step.status} {short_json(step.last_heartbeat)}"
            if self._told.get(step.step_execution_id) != stands:
                self._told[step.step_execution_id] = stands
                out.print(_line(step), soft_wrap=True)
        if glimpse.ended:
            execution = glimpse.execution
            out.print(f"{escape(execution.execution_id)} {styled_status(execution.status)}")


class JsonLines(Telling):
    """A document on a line for each change."""

    def tell(self, glimpse: ExecutionView) -> None:
        """Write how everything stands."""
        told = {
            "execution": glimpse.execution.model_dump(mode="json"),
            "steps": [step.model_dump(mode="json") for step in glimpse.steps],
        }
        print_json_line(told)


def tree(glimpse: ExecutionView, now: datetime) -> RenderableType:
    """Return the execution and its visits, the newest ones where there are many."""
    execution = glimpse.execution
    took = duration(execution.execution_time_ms or _since(execution.started_at, now))
    head = f"[bold]{escape(execution.execution_id)}[/] {escape(execution.pipeline_name or '')} "
    root = Tree(f"{head}{styled_status(execution.status)} [dim]{took}[/]")
    hidden = len(glimpse.steps) - MAX_STEPS_SHOWN
    if hidden > 0:
        root.add(f"[dim]{hidden} earlier visits[/]")
    for step in glimpse.steps[max(0, hidden) :]:
        root.add(_line(step, now))
    if execution.failure:
        return Group(root, Text(execution.failure, style="red"))
    return root


def _line(step: StepRecord, now: datetime | None = None) -> str:
    style = STATUS_STYLES.get(step.status, "default")
    visit = f" (visit {step.iteration})" if step.iteration > 1 else ""
    tries = f" [yellow]try {step.attempt}[/]" if step.attempt > 1 else ""
    took_ms = step.execution_time_ms
    if took_ms is None and now is not None and step.status in GOING_ON:
        took_ms = _since(step.started_at, now)
    took = f" [dim]{duration(took_ms)}[/]" if took_ms else ""
    name = f"[{style}]{SIGNS.get(step.status, '·')}[/] {escape(step.step_id)}{visit}"
    said = ""
    if step.last_heartbeat is not None and step.status in GOING_ON:
        said = f" [cyan]{escape(short_json(step.last_heartbeat))}[/]"
    return f"{name} {styled_status(step.status)}{tries}{took}{said}"


def _since(begun: datetime | None, now: datetime) -> float | None:
    # Clocks differ: what has begun in the future has begun now.
    return None if begun is None else max((now - begun).total_seconds() * 1000, 0.0)
