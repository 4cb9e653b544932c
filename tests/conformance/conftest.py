"""Every test here runs on both read models."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.conformance.stores import (
    ReadModelUnderTest,
    new_database,
    postgres_read_model,
    sqlite_read_model,
)


@pytest.fixture(params=["postgres", "sqlite"])
async def rows(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[ReadModelUnderTest]:
    """Return an empty read model, in PostgreSQL and in SQLite in turn."""
    if request.param == "sqlite":
        async with sqlite_read_model(tmp_path / "rows.db") as under_test:
            yield under_test
    else:
        server_url = request.getfixturevalue("postgres_server_url")
        async with new_database(server_url) as url, postgres_read_model(url) as under_test:
            yield under_test
