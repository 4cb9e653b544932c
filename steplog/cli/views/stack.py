"""The stack coming up, as people watch it: one line for each part, changing in place."""

import time
from pathlib import Path

from rich.console import Group
from rich.live import Live
from rich.markup import escape
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from steplog.cli.views.console import out
from steplog.local.stack_state import ProcessState, ProcessStatus, StackState
from steplog_contracts.addresses import without_passwords

REFRESHES_PER_S = 10
_MARKS = {
    ProcessStatus.RUNNING: "[green]✓[/]",
    ProcessStatus.FAILED: "[red]✗[/]",
    ProcessStatus.WAITING: "[dim]·[/]",
    ProcessStatus.STOPPED: "[dim]■[/]",
}
_LABELS = {
    "kafka": "Kafka",
    "postgres": "PostgreSQL",
    "executor": "executor",
    "tracker": "tracker",
    "api": "API",
}


class StackDisplay:
    """Shows states as they come: live on a terminal, a line for each change elsewhere."""

    def __init__(self) -> None:
        self._began_s = time.monotonic()
        self._ready_after_s: dict[str, float] = {}
        self._told: dict[str, ProcessStatus] = {}
        self.was_ready = False
        self._stopping = False
        self._spinner = Spinner("dots", style="cyan")
        self._live: Live | None = None
        if out.is_terminal:
            self._live = Live(console=out, refresh_per_second=REFRESHES_PER_S, transient=False)
            self._live.start()

    def show(self, state: StackState) -> None:
        """Show a state; of one that stops, only that it does."""
        self.was_ready = self.was_ready or state.ready
        if state.stopping:
            self._tell_stopping(state)
            return
        for process in state.processes:
            if process.status is ProcessStatus.RUNNING:
                self._ready_after_s.setdefault(process.name, time.monotonic() - self._began_s)
        if self._live is not None:
            self._live.update(self._picture(state))
        else:
            self._tell_changes(state)

    def close(self) -> None:
        """Leave the last picture standing; safe to call again."""
        if self._live is not None:
            self._live.stop()

    def _tell_stopping(self, state: StackState) -> None:
        if state.ready and not self._stopping:
            self._stopping = True
            out.print("Stopping; steps that run have a moment to end.")

    def _picture(self, state: StackState) -> Group:
        table = Table.grid(padding=(0, 2))
        for process in state.processes:
            mark = _MARKS.get(process.status)
            table.add_row(
                self._spinner if mark is None else Text.from_markup(mark),
                _LABELS[process.name],
                Text.from_markup(self._words(process)),
            )
        return Group(table)

    def _words(self, process: ProcessState) -> str:
        if process.status is ProcessStatus.RUNNING:
            after = f"{self._ready_after_s[process.name]:.1f} s"
            return f"[dim]{process.kind}, ready after {after}[/]"
        if process.note is not None:
            return escape(without_passwords(process.note))
        return f"[dim]{process.status}[/]"

    def _tell_changes(self, state: StackState) -> None:
        for process in state.processes:
            if self._told.get(process.name) is not process.status:
                self._told[process.name] = process.status
                if process.status is not ProcessStatus.WAITING:
                    note = "" if process.note is None else f": {process.note}"
                    line = f"{_LABELS[process.name]} {process.status}{note}"
                    line = escape(without_passwords(line))
                    out.print(line, soft_wrap=True)


def print_addresses(state: StackState, data_dir: Path, how_to_stop: str) -> None:
    """Tell where everything answers and what to do next."""
    out.print("\n[bold green]steplog is up.[/]")
    print_where(state, data_dir)
    out.print("\nTry [bold]steplog run FILE --wait[/], then [bold]steplog ls[/]. " + how_to_stop)


def print_where(state: StackState, data_dir: Path) -> None:
    """Print where everything answers, each address whole on its line, to be copied."""
    state = state.shown()
    for name, value in (
        ("API", state.api_url),
        ("Kafka", state.kafka_bootstrap_servers),
        ("PostgreSQL", state.database_url),
        ("Data, logs", str(data_dir)),
    ):
        out.print(f"[dim]{name:<10}[/]  {escape(value or 'not known yet')}", soft_wrap=True)


def print_step_modules(step_modules: str) -> None:
    """Tell which modules step code may come from; with none, nothing can be run yet."""
    if step_modules.strip():
        out.print(f"[dim]Step code may come from {escape(step_modules)}.[/]", soft_wrap=True)
        return
    out.print(
        "[yellow]No module may give step code yet, so every run will be refused:[/] stop it and "
        "start it with [bold]steplog up --steps 'my_steps.*'[/].",
        soft_wrap=True,
    )
