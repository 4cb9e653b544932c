"""The read model's database as commands reach it: given, or that of the running stack."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from steplog.cli.connect.sources import refuse_missing
from steplog.errors import StackBusy
from steplog.local.data_folder import DataFolder
from steplog.settings import SteplogSettings
from tracker_service.store.dead_letters import DeadLetters
from tracker_service.store.factory import dead_letters_of, store_for
from tracker_service.store.write_port import Store

CONNECTIONS = 2


def find_database_url(settings: SteplogSettings) -> str:
    """Return the database's URL.

    Raises:
        StackBusy: none is set and no stack runs on the data folder.
    """
    if settings.database_url is not None:
        return settings.database_url
    folder = DataFolder(settings.data_dir)
    state = folder.read_state() if folder.is_held() else None
    if state is None or state.database_url is None:
        raise StackBusy(
            f"No stack runs in {folder.root}; start one with `steplog up`, name its folder with "
            "STEPLOG_DATA_DIR, or set DATABASE_URL."
        )
    return state.database_url


@asynccontextmanager
async def open_store(settings: SteplogSettings) -> AsyncIterator[Store]:
    """Yield the writing side of the read model: of a file of embedded mode, or of the pair."""
    if settings.data_file is None:
        url = find_database_url(settings)
    else:
        refuse_missing(settings.data_file)
        url = f"sqlite:///{settings.data_file}"
    store = store_for(url, max_connections=CONNECTIONS)
    await store.open()
    try:
        yield store
    finally:
        await store.close()


@asynccontextmanager
async def open_letters(settings: SteplogSettings) -> AsyncIterator[DeadLetters]:
    """Yield the dead letters of the read model."""
    async with open_store(settings) as store:
        yield dead_letters_of(store)
