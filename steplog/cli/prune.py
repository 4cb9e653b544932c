"""`steplog prune`: remove old rows; the log keeps everything."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from steplog.cli.console import err, out, print_json
from steplog.cli.options import AsJson, DataDir, DataFile, EmbeddedMode, settings_with
from steplog.cli.read_model import open_store
from steplog.settings import SteplogSettings
from tracker_service.store.pruning import prune_in_batches


def prune(
    older_than_days: Annotated[
        float, typer.Option("--older-than", min=0, help="Days since an execution ended.")
    ],
    as_json: AsJson = False,
    data_dir: DataDir = None,
    embedded: EmbeddedMode = False,
    data: DataFile = None,
) -> None:
    """Remove the rows of executions that ended long ago; `steplog rebuild` brings them back.

    $ steplog prune --older-than 90
    """
    before = datetime.now(UTC) - timedelta(days=older_than_days)
    settings = settings_with(data_dir, embedded=embedded, data=data)
    removed = asyncio.run(_prune(before, settings))
    if as_json:
        print_json({"removed": removed})
    else:
        out.print(f"{removed} executions removed from the rows; the log keeps them.")


async def _prune(before: datetime, settings: SteplogSettings) -> int:
    removed = 0
    with err.status("looking for what ended") as status:
        async with open_store(settings) as store:
            async for removed in prune_in_batches(store, before):
                status.update(f"{removed} executions removed")
    return removed
