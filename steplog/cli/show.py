"""`steplog show`: one execution with its steps."""

import asyncio
from typing import Annotated, Any

import typer

from steplog.addresses import api_url
from steplog.cli.console import print_json
from steplog.cli.execution_view import print_execution
from steplog.cli.moments import AsOf, as_of_parameter
from steplog.cli.options import AsJson, DataDir, settings_with
from steplog.read_api import ReadApi


def show(
    execution_id: Annotated[str, typer.Argument(metavar="ID")],
    as_of: AsOf = None,
    at_seq: Annotated[
        int | None,
        typer.Option("--at-seq", metavar="N", min=1, help="As it stood after its event N."),
    ] = None,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Show one execution and the steps it took; with --as-of or --at-seq as it stood then."""
    url = api_url(settings_with(data_dir))
    then = {"as_of": as_of_parameter(as_of), "at_seq": at_seq}
    answer = asyncio.run(_read(url, execution_id, then))
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


async def _read(url: str, execution_id: str, then: dict[str, str | int | None]) -> dict[str, Any]:
    read = ReadApi(url)
    try:
        if any(value is not None for value in then.values()):
            return dict(await read.get(f"/api/executions/{execution_id}", **then))
        return await read_execution(read, execution_id)
    finally:
        await read.close()
