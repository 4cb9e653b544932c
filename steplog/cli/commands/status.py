"""`steplog status`: how the local stack stands."""

from datetime import UTC, datetime

import typer
from rich.markup import escape

from steplog.cli.inputs.options import AsJson, DataDir, settings_with
from steplog.cli.views.console import duration, out, plain_table, print_json, styled_status
from steplog.cli.views.stack import print_where
from steplog.errors import StackBusy
from steplog.local.data_folder import DataFolder
from steplog.local.stack_state import ProcessState, StackState


def status(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Show the parts of the local stack; exits with 1 unless all of them run.

    $ steplog status
    """
    folder = DataFolder(settings_with(data_dir).data_dir)
    state = folder.read_state() if folder.is_held() else None
    state = None if state is None else state.shown()
    if as_json:
        print_json({"running": state is not None, **_body(state)})
    elif state is None:
        raise StackBusy(f"No stack runs in {folder.root}; start one with `steplog up`.")
    else:
        _print(state, folder)
    if state is None or not state.is_whole:
        raise typer.Exit(1)


def _body(state: StackState | None) -> dict[str, object]:
    return {} if state is None else state.model_dump(mode="json")


def _print(state: StackState, folder: DataFolder) -> None:
    table = plain_table("part", "status", "kind", "for", "pid", "restarts")
    for process in state.processes:
        table.add_row(*_row(process))
    out.print(table)
    for process in state.processes:
        if process.note is not None:
            out.print(f"\n[yellow]{process.name}[/] {escape(process.note)}", soft_wrap=True)
            out.print(f"[dim]log: {escape(process.log or '')}[/]", soft_wrap=True)
    out.print()
    print_where(state, folder.root)


def _row(process: ProcessState) -> tuple[str, ...]:
    since = process.since
    stood_ms = None if since is None else (datetime.now(UTC) - since).total_seconds() * 1000
    return (
        process.name,
        styled_status(process.status),
        process.kind,
        duration(stood_ms),
        str(process.pid or ""),
        str(process.restarts or ""),
    )
