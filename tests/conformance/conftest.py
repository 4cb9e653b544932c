"""Every test here runs on both read models."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.conformance.stores import ReadModelUnderTest, postgres_read_model, sqlite_read_model
from tests.conftest import database, run_apart
from tests.support.emptied_database import migrate_and_note, put_back


@pytest.fixture(scope="session")
def migrated_url(postgres_server_url: str) -> Iterator[str]:
    """Return the URL of a database with the newest schema that tests empty before they begin."""
    with database(postgres_server_url) as url:
        run_apart(migrate_and_note(url))
        yield url


@pytest.fixture(params=["postgres", "sqlite"])
async def rows(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[ReadModelUnderTest]:
    """Return an empty read model, in PostgreSQL and in SQLite in turn."""
    if request.param == "sqlite":
        async with sqlite_read_model(tmp_path / "rows.db") as under_test:
            yield under_test
    else:
        url = request.getfixturevalue("migrated_url")
        await put_back(url)
        async with postgres_read_model(url) as under_test:
            yield under_test
