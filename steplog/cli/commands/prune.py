"""`steplog prune`: remove old rows; the log keeps everything."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final

import typer

from steplog.cli.connect.read_model import open_store
from steplog.cli.inputs.options import AsJson, DataDir, DataFile, EmbeddedMode, settings_with
from steplog.cli.views.console import err, out, print_json
from steplog.settings import SteplogSettings
from tracker_service.store.pruning import prune_in_batches

_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_EARLIEST: Final = datetime(1, 1, 2, tzinfo=UTC)


def prune(
    older_than: Annotated[
        str,
        typer.Option(
            "--older-than", metavar="90d|2h|1s", help="Since an execution ended; a number is days."
        ),
    ],
    as_json: AsJson = False,
    data_dir: DataDir = None,
    embedded: EmbeddedMode = False,
    data: DataFile = None,
) -> None:
    """Remove the rows of executions that ended long ago; `steplog rebuild` brings them back.

    $ steplog prune --older-than 90d
    """
    before = datetime.now(UTC) - _age(older_than)
    settings = settings_with(data_dir, embedded=embedded, data=data)
    removed = asyncio.run(_prune(before, settings))
    if as_json:
        print_json({"removed": removed})
    else:
        out.print(f"{removed} executions removed from the rows; the log keeps them.")


def _age(text: str) -> timedelta:
    number, unit = (text[:-1], text[-1]) if text[-1:] in _UNITS else (text, "d")
    try:
        age = timedelta(**{_UNITS[unit]: float(number)})
        if age >= timedelta(0) and datetime.now(UTC) - age > _EARLIEST:
            return age
    except (ValueError, OverflowError):
        pass
    raise typer.BadParameter(
        f"{text!r} is no span of time; give one such as 90d, 2h, 30m or 1s.",
        param_hint="--older-than",
    )


async def _prune(before: datetime, settings: SteplogSettings) -> int:
    removed = 0
    with err.status("looking for what ended") as status:
        async with open_store(settings) as store:
            async for removed in prune_in_batches(store, before):
                status.update(f"{removed} executions removed")
    return removed
