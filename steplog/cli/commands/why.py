"""`steplog why`: what an execution waits for, and what can be done."""

import asyncio
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from rich.markup import escape

from steplog.cli.connect.sources import open_read
from steplog.cli.connect.submit import ExecutionId
from steplog.cli.inputs.options import AsJson, DataDir, DataFile, EmbeddedMode, settings_with
from steplog.cli.views.console import out, print_json
from steplog.client.read_api import path_of
from steplog.settings import SteplogSettings


def why(
    execution_id: ExecutionId,
    as_json: AsJson = False,
    data_dir: DataDir = None,
    embedded: EmbeddedMode = False,
    data: DataFile = None,
) -> None:
    """Say what an execution waits for, or why it ended, and what can be done.

    $ steplog why ID
    """
    settings = settings_with(data_dir, embedded=embedded, data=data)
    answer = asyncio.run(_read(settings, execution_id))
    if as_json:
        print_json(answer)
        return
    for reason in answer["reasons"]:
        _print(reason)


async def _read(settings: SteplogSettings, execution_id: str) -> Mapping[str, Any]:
    async with open_read(settings) as read:
        return await read.get(path_of(execution_id, "why"))


def _print(reason: Mapping[str, Any]) -> None:
    until = reason["until"]
    told = escape(reason["sentence"])
    if until is not None:
        told += f" (until {datetime.fromisoformat(until).astimezone():%Y-%m-%d %H:%M:%S})"
    out.print(told, soft_wrap=True)
    if reason["remedy"]:
        out.print(f"[dim]What to do: {escape(reason['remedy'])}.[/]", soft_wrap=True)
