"""The read model's database as commands reach it: given, or that of the running stack."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from steplog.cli.options import settings_with
from steplog.errors import StackBusy
from steplog.local.data_folder import DataFolder
from tracker_service.store.letters import DeadLetters
from tracker_service.store.opening import dead_letters_of, store_for
from tracker_service.store.port import Store

CONNECTIONS = 2


def find_database_url(data_dir: Path | None) -> str:
    """Return the database's URL.

    Raises:
        StackBusy: none is set and no stack runs on the data folder.
    """
    settings = settings_with(data_dir)
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
async def open_store(data_dir: Path | None) -> AsyncIterator[Store]:
    """Yield the writing side of the read model."""
    store = store_for(find_database_url(data_dir), max_connections=CONNECTIONS)
    await store.open()
    try:
        yield store
    finally:
        await store.close()


@asynccontextmanager
async def open_letters(data_dir: Path | None) -> AsyncIterator[DeadLetters]:
    """Yield the dead letters of the read model."""
    async with open_store(data_dir) as store:
        yield dead_letters_of(store)
