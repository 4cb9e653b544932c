"""Where commands go and answers come from: the pair somewhere, or a file of embedded mode."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from steplog.client.addresses import api_url, find_addresses
from steplog.client.read_api import ReadApi
from steplog.errors import BadInput
from steplog.settings import SteplogSettings

# What talks to Kafka is loaded by the commands that need it: it takes longer than most of them.
if TYPE_CHECKING:
    from steplog.client.client import Steplog
    from tracker_service.log.events_log import EventsLog


@asynccontextmanager
async def open_read(settings: SteplogSettings) -> AsyncIterator[ReadApi]:
    """Yield the API that answers for the file of embedded mode, or else for the pair."""
    if settings.data_file is not None:
        refuse_missing(settings.data_file)
        # Here, so that no other command pays for loading what only embedded mode needs.
        from steplog.embedded.read_api import open_embedded_read  # noqa: PLC0415

        async with open_embedded_read(settings.data_file, settings.api_token) as embedded_read:
            yield embedded_read
        return
    read = ReadApi(api_url(settings), token=settings.api_token)
    try:
        yield read
    finally:
        await read.close()


@asynccontextmanager
async def open_log(settings: SteplogSettings) -> AsyncIterator[tuple["EventsLog", str]]:
    """Yield the events of the file of embedded mode, or else of the pair, and their topic."""
    if settings.data_file is not None:
        refuse_missing(settings.data_file)
        from executor_service.adapters.embedded.reader import EmbeddedReader  # noqa: PLC0415
        from steplog.embedded.history import EmbeddedHistory  # noqa: PLC0415

        async with EmbeddedReader(settings.data_file) as reader:
            yield EmbeddedHistory(reader), settings.topics.events.name
        return
    from tracker_service.log.kafka_events_log import KafkaEventsLog  # noqa: PLC0415

    addresses = find_addresses(settings)
    topic = addresses.topics.events.name
    yield KafkaEventsLog(addresses.kafka_bootstrap_servers, topic), topic


def open_client(
    settings: SteplogSettings,
    *,
    runs: bool = True,
    pipeline: str | Mapping[str, Any] | None = None,
) -> AbstractAsyncContextManager["Steplog"]:
    """Return a client to enter; in embedded mode what is in the file runs meanwhile, if `runs`.

    `pipeline` is what will be asked for, where that is known before.
    """
    if settings.data_file is not None:
        from steplog.cli.connect.embedded_client import embedded_client  # noqa: PLC0415

        return embedded_client(settings.data_file, settings, runs=runs, pipeline=pipeline)
    from steplog.client.client import Steplog  # noqa: PLC0415

    return Steplog.connect(find_addresses(settings))


def refuse_missing(file: Path) -> None:
    """Raise `BadInput` where there is no file."""
    if not file.is_file():
        raise BadInput(
            f"There is no file {file}; `steplog up --embedded` or `steplog run FILE --embedded` "
            "makes one, or name another with --data."
        )


def idle_file(settings: SteplogSettings) -> str | None:
    """Return a sentence where the file of embedded mode is open in no process, else None."""
    if settings.data_file is None or not settings.data_file.is_file():
        return None
    from executor_service.adapters.embedded.lock import EmbeddedLock  # noqa: PLC0415

    if EmbeddedLock(settings.data_file).holder() is not None:
        return None
    return (
        f"No process has {settings.data_file} open, so nothing in it runs; go on with "
        "`steplog up --embedded`."
    )
