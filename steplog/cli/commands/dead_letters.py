"""`steplog dead-letters list | show | retry | skip`."""

import asyncio
import base64
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, TypeVar

import typer
from rich.markup import escape
from rich.table import Table

from steplog.cli.connect.read_model import open_letters
from steplog.cli.inputs.options import AsJson, DataDir, DataFile, EmbeddedMode, settings_with
from steplog.cli.views.console import moment, out, print_json
from steplog.settings import SteplogSettings
from tracker_service.projector import dead_letters
from tracker_service.store.dead_letters import (
    APPLIED,
    MAX_LISTED,
    SKIPPED,
    DeadLetters,
    Letter,
    Mended,
)

app = typer.Typer(help="Events that could not be applied.", no_args_is_help=True)

Number = Annotated[int, typer.Argument(help="Number of a dead letter, from the list.")]
ResultT = TypeVar("ResultT")
EXIT_STUCK = 1


@app.command("list")
def list_letters(
    include_resolved: Annotated[
        bool, typer.Option("--all", help="Also those applied or skipped since.")
    ] = False,
    limit: Annotated[
        int, typer.Option("--limit", "-n", min=1, max=MAX_LISTED, help="At most so many.")
    ] = 100,
    as_json: AsJson = False,
    data_dir: DataDir = None,
    embedded: EmbeddedMode = False,
    data: DataFile = None,
) -> None:
    """List records set aside, oldest first.

    $ steplog dead-letters list
    """
    settings = settings_with(data_dir, embedded=embedded, data=data)
    found = _with_letters(
        settings,
        lambda letters: letters.letters(unresolved=not include_resolved, limit=limit),
    )
    if as_json:
        print_json([_as_json(letter) for letter in found])
    elif found:
        out.print(_table(list(found)))
    else:
        out.print("No dead letters.")


@app.command()
def show(
    number: Number,
    as_json: AsJson = False,
    data_dir: DataDir = None,
    embedded: EmbeddedMode = False,
    data: DataFile = None,
) -> None:
    """Show one record with its headers and value as they came.

    $ steplog dead-letters show 1
    """
    settings = settings_with(data_dir, embedded=embedded, data=data)
    letter = _with_letters(settings, lambda letters: letters.letter(number))
    if as_json:
        print_json(_as_json(letter))
        return
    for name, value in _as_json(letter).items():
        if name != "headers":
            out.print(f"[dim]{name}[/] {escape(str(value))}", soft_wrap=True)
    for header, value in _headers(letter).items():
        out.print(f"[dim]header {escape(header)}[/] {escape(value)}", soft_wrap=True)


@app.command()
def retry(
    number: Number,
    as_json: AsJson = False,
    data_dir: DataDir = None,
    embedded: EmbeddedMode = False,
    data: DataFile = None,
) -> None:
    """Apply a record, and what is parked behind it, once its cause is gone.

    $ steplog dead-letters retry 1
    """
    settings = settings_with(data_dir, embedded=embedded, data=data)
    _tell(
        _with_letters(settings, lambda letters: dead_letters.retry(letters, number)),
        as_json=as_json,
    )


@app.command()
def skip(
    number: Number,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: AsJson = False,
    data_dir: DataDir = None,
    embedded: EmbeddedMode = False,
    data: DataFile = None,
) -> None:
    """Go on without a record; its execution's row stays marked incomplete.

    $ steplog dead-letters skip 1 --yes
    """
    if not yes:
        typer.confirm(f"Go on without dead letter {number} for good?", abort=True)
    settings = settings_with(data_dir, embedded=embedded, data=data)
    _tell(
        _with_letters(settings, lambda letters: dead_letters.skip(letters, number)),
        as_json=as_json,
    )


def _with_letters(
    settings: SteplogSettings, work: Callable[[DeadLetters], Awaitable[ResultT]]
) -> ResultT:
    async def run() -> ResultT:
        async with open_letters(settings) as letters:
            return await work(letters)

    return asyncio.run(run())


def _tell(mended: Mended, *, as_json: bool) -> None:
    outcomes = list(mended.resolved.values())
    if as_json:
        stuck = mended.stuck
        print_json(
            {
                "applied": outcomes.count(APPLIED),
                "skipped": outcomes.count(SKIPPED),
                "stuck": None
                if stuck is None
                else {"id": stuck[0], "code": stuck[1], "reason": stuck[2]},
            }
        )
    else:
        out.print(f"{outcomes.count(APPLIED)} applied, {outcomes.count(SKIPPED)} skipped.")
        if mended.stuck is not None:
            number, code, reason = mended.stuck
            out.print(f"Dead letter {number} is still at fault ({code}): {escape(reason)}")
    if mended.stuck is not None:
        raise typer.Exit(EXIT_STUCK)


def _table(letters: list[Letter]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for heading in ("id", "status", "code", "execution", "at", "since", "reason"):
        table.add_column(heading, overflow="fold")
    for letter in letters:
        table.add_row(
            str(letter.id),
            letter.status,
            letter.code,
            escape(letter.execution_id or "-"),
            f"{letter.partition}:{letter.offset}",
            moment(letter.set_aside_at),
            escape(letter.reason),
        )
    return table


def _as_json(letter: Letter) -> dict[str, Any]:
    told: dict[str, Any] = {
        "id": letter.id,
        "status": letter.status,
        "code": letter.code,
        "reason": letter.reason,
        "execution_id": letter.execution_id,
        "seq": letter.seq,
        "topic": letter.topic,
        "partition": letter.partition,
        "offset": letter.offset,
        "set_aside_at": letter.set_aside_at.isoformat(),
        "resolved_at": letter.resolved_at and letter.resolved_at.isoformat(),
    }
    record = letter.record
    if record is not None:
        told["key"] = _readable(record.key)
        told["value"] = _readable(record.value)
        told["headers"] = _headers(letter)
    return told


def _headers(letter: Letter) -> dict[str, str]:
    headers = () if letter.record is None else letter.record.headers
    return {name: _readable(value) or "" for name, value in headers}


def _readable(value: bytes | None) -> str | None:
    if value is None:
        return None
    try:
        return value.decode()
    except UnicodeDecodeError:
        return f"base64:{base64.b64encode(value).decode()}"
