"""A rebuild as people watch it: a bar for each partition with rate and time left, and stages."""

import asyncio
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from steplog.cli.views.console import err
from tracker_service.rebuild.log_reader import Span
from tracker_service.rebuild.rebuild import Rebuild
from tracker_service.rebuild.request import RebuildRequest, Report

_WORDS = {
    "copying": "copying the log into new tables",
    "indexing": "building keys and indexes",
    "mending": "judging what was set aside",
    "following": "following the live rows",
    "comparing": "comparing every row",
    "swapping": "swapping",
}
REFRESHES_PER_S = 4


class Rate(ProgressColumn):
    """Events a second."""

    def render(self, task: Task) -> Text:
        """Return the rate, once there is one."""
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:,.0f} events/s", style="dim")


class RebuildDisplay:
    """A `tracker_service.rebuild.request.Watcher` on stderr, so that output stays for programs."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet or not err.is_terminal
        self._bars: dict[int, TaskID] = {}
        self._spans: Mapping[int, Span] = {}
        self._began_s = time.monotonic()
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %"),
            Rate(),
            TimeRemainingColumn(),
            console=err,
            refresh_per_second=REFRESHES_PER_S,
            disable=self._quiet,
        )

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def spans(self, spans: Mapping[int, Span], taken_up: bool) -> None:
        """Show a bar for each partition."""
        self._spans = spans
        if taken_up and not self._quiet:
            self._print("An interrupted rebuild is taken up.")
        for partition, span in spans.items():
            name = f"partition {partition}"
            self._bars[partition] = self._progress.add_task(name, total=span.end - span.begin)

    def progress(self, partition: int, next_offset: int, _rows: int, /) -> None:
        """Move a partition's bar."""
        begin = self._spans[partition].begin
        self._progress.update(self._bars[partition], completed=next_offset - begin)

    def stage(self, name: str) -> None:
        """Say what is done now."""
        if not self._quiet:
            after_s = time.monotonic() - self._began_s
            self._print(f"[dim]{after_s:6.1f} s[/]  {_WORDS[name]}")

    def _print(self, line: str) -> None:
        (self._progress.console if self._progress.live.is_started else err).print(line)


def watched(order: RebuildRequest, *, as_json: bool) -> Report:
    """Run a rebuild with its progress shown, and return what came of it."""
    with RebuildDisplay(quiet=as_json) as display:
        return asyncio.run(Rebuild(order, display).run())
