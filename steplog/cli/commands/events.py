"""`steplog events`: what was recorded of one execution, event by event."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from datetime import datetime
from typing import Annotated, Any, Final

import typer
from rich.markup import escape

from steplog.cli.connect.sources import open_read
from steplog.cli.connect.submit import ExecutionId
from steplog.cli.inputs.options import DataDir, DataFile, EmbeddedMode, settings_with
from steplog.cli.views.console import err, out, plain_table, print_json_line, short_json
from steplog.client.read_api import Answer, ReadApi, path_of
from steplog.settings import SteplogSettings

Asked = Mapping[str, str | int]

PAGE_EVENTS: Final = 500
_PREFIX: Final = "steplog."
_WIDTHS: Final = {"seq": 5, "time": 23, "event": 26, "at": 10}
# What stands in columns of its own, or says nothing to people.
_SHOWN_ELSEWHERE: Final = ("definition", "step_id", "iteration", "attempt", "definition_hash")


def events(
    execution_id: ExecutionId,
    after_seq: Annotated[
        int, typer.Option("--after", metavar="N", min=0, help="Only events after its event N.")
    ] = 0,
    stale: Annotated[
        bool,
        typer.Option("--stale", help="Also what a former owner appended too late to count."),
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON Lines for programs, one event a line.")
    ] = False,
    data_dir: DataDir = None,
    embedded: EmbeddedMode = False,
    data: DataFile = None,
) -> None:
    """Show the recorded events of one execution, decoded, in the order of the log.

    $ steplog events ID
    $ steplog events ID --after 10 --json
    """
    settings = settings_with(data_dir, embedded=embedded, data=data)
    asked = {"after_seq": after_seq, "stale": "true" if stale else "false", "limit": PAGE_EVENTS}
    asyncio.run(_print(settings, execution_id, asked, as_json=as_json))


async def _print(
    settings: SteplogSettings, execution_id: str, asked: Asked, *, as_json: bool
) -> None:
    shown, searched = 0, dict[str, Any]()
    async with (
        open_read(settings) as read,
        aclosing(_pages(read, execution_id, asked)) as pages,
    ):
        async for page in pages:
            if as_json:
                _write_lines(page["items"])
            elif page["items"]:
                _print_page(page["items"], first=shown == 0)
            shown, searched = shown + len(page["items"]), page["searched"]
    if not searched["in_rows"]:
        err.print(
            f"{escape(execution_id)} is not in the rows (not applied yet, or pruned), so partition "
            f"{searched['partition']} was searched up to offset {searched['next_offset']}."
        )
    elif shown == 0 and not as_json:
        out.print("No such events.")


async def _pages(read: ReadApi, execution_id: str, asked: Asked) -> AsyncGenerator[Answer, None]:
    path, cursor = path_of(execution_id, "events"), None
    while True:
        page = await read.get(path, **asked, cursor=cursor)
        yield page
        cursor = page["next_cursor"]
        if cursor is None:
            return


def _write_lines(items: list[Mapping[str, Any]]) -> None:
    for event in items:
        print_json_line(event)


def _print_page(items: list[Mapping[str, Any]], *, first: bool) -> None:
    table = plain_table()
    table.show_header = first
    for heading, width in _WIDTHS.items():
        table.add_column(heading, min_width=width, no_wrap=True)
    table.add_column("what", overflow="fold")
    for event in items:
        table.add_row(*_row(event))
    out.print(table)


def _row(event: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        str(event["seq"]),
        _time(event["time"]),
        _kind(event),
        f"{event['partition']}:{event['offset']}",
        escape(_what(event)),
    )


def _time(text: str | None) -> str:
    if text is None:
        return "-"
    return f"{datetime.fromisoformat(text).astimezone():%Y-%m-%d %H:%M:%S.%f}"[:-3]


def _kind(event: Mapping[str, Any]) -> str:
    kind = event["type"] or "unreadable"
    name = escape(kind.removeprefix(_PREFIX))
    return f"[dim strike]{name}[/]" if event.get("stale") else name


def _what(event: Mapping[str, Any]) -> str:
    problem = event.get("problem")
    if problem is not None:
        return f"{problem['code']}: {problem['reason']}"
    data = event["data"]
    step = _step(data)
    rest = {key: value for key, value in data.items() if key not in _SHOWN_ELSEWHERE}
    told = {key: value for key, value in rest.items() if value not in (None, "", [], {}, 0, False)}
    return f"{step}{short_json(told) if told else ''}"


def _step(data: Mapping[str, Any]) -> str:
    if "step_id" not in data:
        return ""
    visit = f" visit {data['iteration']}" if data.get("iteration", 1) > 1 else ""
    attempt = f" try {data['attempt']}" if data.get("attempt", 1) > 1 else ""
    return f"{data['step_id']}{visit}{attempt}  "
