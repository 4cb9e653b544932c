"""`steplog show`: one execution with its steps."""

import asyncio
from typing import Annotated, Any

import typer

from steplog.cli.console import print_json
from steplog.cli.execution_view import print_execution
from steplog.cli.moments import AsOf, as_of_parameter
from steplog.cli.options import AsJson, DataDir, DataFile, EmbeddedMode, settings_with
from steplog.cli.sources import open_read
from steplog.read_api import ReadApi
from steplog.settings import SteplogSettings


def show(
    execution_id: Annotated[str, typer.Argument(metavar="ID")],
    as_of: AsOf = None,
    at_seq: Annotated[
        int | None,
        typer.Option("--at-seq", metavar="N", min=1, help="As it stood after its event N."),
    ] = None,
    as_json: AsJson = False,
    data_dir: DataDir = None,
    embedded: EmbeddedMode = False,
    data: DataFile = None,
) -> None:
    """Show one execution and the steps it took; with --as-of or --at-seq as it stood then."""
    settings = settings_with(data_dir, embedded=embedded, data=data)
    then = {"as_of": as_of_parameter(as_of), "at_seq": at_seq}
    answer = asyncio.run(_read(settings, execution_id, then))
    if as_json:
        print_json(answer)
    else:
        print_execution(answer)


async def read_execution(read: ReadApi, execution_id: str) -> dict[str, Any]:
    """Return `execution`, `steps` and `freshness` as the API has them."""
    one = await read.get(f"/api/executions/{execution_id}")
    steps = await read.get(f"/api/executions/{execution_id}/steps")
    return {
        "execution": one["execution"],
        "steps": steps["items"],
        "freshness": one["freshness"],
    }


async def _read(
    settings: SteplogSettings, execution_id: str, then: dict[str, str | int | None]
) -> dict[str, Any]:
    async with open_read(settings) as read:
        if any(value is not None for value in then.values()):
            return dict(await read.get(f"/api/executions/{execution_id}", **then))
        return await read_execution(read, execution_id)
