"""`steplog show`: one execution with its steps."""

import asyncio
from typing import Annotated, Any

import typer

from steplog.addresses import api_url
from steplog.cli.console import print_json
from steplog.cli.execution_view import print_execution
from steplog.cli.options import AsJson, DataDir, settings_with
from steplog.read_api import ReadApi


def show(
    execution_id: Annotated[str, typer.Argument(metavar="ID")],
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Show one execution and the steps it took."""
    answer = asyncio.run(_read(api_url(settings_with(data_dir)), execution_id))
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


async def _read(url: str, execution_id: str) -> dict[str, Any]:
    read = ReadApi(url)
    try:
        return await read_execution(read, execution_id)
    finally:
        await read.close()
