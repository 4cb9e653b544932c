"""Questions to people, printed while a command waits for an execution's end."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from rich.markup import escape

from steplog.cli.views.console import err
from steplog.cli.views.hints import command_line
from steplog.client.read_api import ReadApi, path_of
from steplog.errors import NotAnswered, ServiceUnreachable

LOOK_EVERY_S: Final = 1.0


@asynccontextmanager
async def question_notices(
    read: ReadApi, execution_id: str, data_file: Path | None
) -> AsyncIterator[None]:
    """Print each question of an execution once, on stderr, while the block runs.

    A `data_file` of embedded mode has one user at a time, so there the waiting has to end first.
    """
    looking = asyncio.create_task(_look(read, execution_id, data_file))
    try:
        yield
    finally:
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)


async def _look(read: ReadApi, execution_id: str, data_file: Path | None) -> None:
    printed: set[str] = set()
    while True:
        await asyncio.sleep(LOOK_EVERY_S)
        try:
            waits = (await read.get(path_of(execution_id, "waits")))["items"]
        except (NotAnswered, ServiceUnreachable):
            continue  # Who waits for the end is answered by that.
        for wait in waits:
            if wait["status"] == "pending" and wait["interaction_id"] not in printed:
                printed.add(wait["interaction_id"])
                _print(execution_id, wait, data_file)


def _print(execution_id: str, wait: Mapping[str, Any], data_file: Path | None) -> None:
    step_id = wait["step_id"]
    err.print(
        f"[yellow]Step {escape(step_id)} waits for an answer:[/] {escape(wait['prompt'] or '')}"
    )
    answer = command_line("resume", execution_id, "--step", step_id, "--input", "JSON")
    first = "Answer it elsewhere" if data_file is None else "Press Ctrl-C here, then answer it"
    err.print(escape(f"{first}: {answer}"))
