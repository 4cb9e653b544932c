"""`steplog payload`: a value that was too large for an event."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from steplog.cli.connect.sources import open_read
from steplog.cli.connect.submit import ExecutionId
from steplog.cli.inputs.options import DataDir, DataFile, EmbeddedMode, settings_with
from steplog.cli.views.console import err, print_bytes
from steplog.client.read_api import path_of
from steplog.errors import BadInput
from steplog.settings import SteplogSettings
from steplog_contracts.private_files import open_private

SHA256_CHARS = 64


def payload(
    execution_id: ExecutionId,
    sha256: Annotated[
        str, typer.Argument(metavar="SHA256", help="The value's, as `steplog show` has it.")
    ],
    to: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write it there instead of to the output.")
    ] = None,
    data_dir: DataDir = None,
    embedded: EmbeddedMode = False,
    data: DataFile = None,
) -> None:
    """Print a value that was too large for an event, as the JSON that was stored.

    $ steplog payload ID SHA256 --to rows.json
    """
    digest = sha256.lower()
    if len(digest) != SHA256_CHARS or not set(digest) <= set("0123456789abcdef"):
        raise BadInput("A sha256 has 64 hexadecimal digits; `steplog show ID` tells those of ID.")
    settings = settings_with(data_dir, embedded=embedded, data=data)
    value = asyncio.run(_read(settings, execution_id, digest))
    if to is None:
        print_bytes(value)
    else:
        with open_private(to) as file:
            file.write(value)
        err.print(f"{len(value):,} bytes written to {to}.")


async def _read(settings: SteplogSettings, execution_id: str, sha256: str) -> bytes:
    async with open_read(settings) as read:
        return await read.content(path_of(execution_id, "payloads", sha256))
