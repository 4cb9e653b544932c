"""The rights of `deploy/postgres/roles.sql` are enough for each process, and no more."""

import uuid
from collections.abc import AsyncIterator
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from tests.house.deployment import DEPLOY
from tests.tracker.histories import History, Log
from tracker_service.projector.projector import Projector
from tracker_service.projector.store_retry import Pacing
from tracker_service.store.errors import StoreRefused
from tracker_service.store.postgres.read_model import PostgresReadModel
from tracker_service.store.postgres.store import PostgresStore

pytestmark = pytest.mark.database
TOPIC = "t.events"
PASSWORD = uuid.uuid4().hex
ROLES = ("owner", "tracker", "reader")


class Logins:
    """A login in each role; names are this test's own, since roles outlive databases."""

    def __init__(self, url: str) -> None:
        self.prefix = f"r{uuid.uuid4().hex[:10]}"
        self._url = url

    def url(self, role: str) -> str:
        """Return the database's URL for the login in a role."""
        parts = urlsplit(self._url)
        address = parts.netloc.rpartition("@")[2]
        login = f"{self.prefix}_{role}_login:{PASSWORD}"
        return urlunsplit(parts._replace(netloc=f"{login}@{address}"))

    def statements(self) -> list[str]:
        """Return the file, twice since it may be run again, and what it says of logins."""
        file = (DEPLOY / "postgres/roles.sql").read_text().replace("steplog_", f"{self.prefix}_")
        logins = [
            f"CREATE ROLE {self.prefix}_{role}_login LOGIN PASSWORD '{PASSWORD}' "
            f"IN ROLE {self.prefix}_{role}"
            for role in ROLES
        ]
        own = f"ALTER ROLE {self.prefix}_owner_login SET role = '{self.prefix}_owner'"
        return [file, file, *logins, own]

    def farewell(self) -> list[str]:
        """Return what removes the roles again."""
        groups = [f"{self.prefix}_{role}" for role in ROLES]
        return [
            *(f"DROP ROLE {group}_login" for group in groups),
            *(f"DROP OWNED BY {group}" for group in groups),
            *(f"DROP ROLE {group}" for group in groups),
        ]


@pytest.fixture
async def logins(postgres_url: str) -> AsyncIterator[Logins]:
    """Return logins in the three roles on an empty database."""
    logins = Logins(postgres_url)
    admin = await asyncpg.connect(postgres_url)
    try:
        for statement in logins.statements():
            await admin.execute(statement)
        yield logins
        for statement in logins.farewell():
            await admin.execute(statement)
    finally:
        await admin.close()


async def test_the_owner_migrates_the_worker_writes_the_api_reads(logins: Logins) -> None:
    owner = PostgresStore(logins.url("owner"))
    await owner.open()
    await owner.close()
    # From one row, so that the temporary table is tried as well.
    tracker = PostgresStore(logins.url("tracker"), copy_from_rows=1)
    await tracker.open()
    entries = Log().append(History("e-1").whole(2))
    await Projector(tracker, TOPIC, Pacing(lambda: True)).apply(0, entries)
    await tracker.close()

    reader = PostgresReadModel(logins.url("reader"))
    await reader.open()
    row = await reader.execution("e-1")
    await reader.close()

    assert row is not None
    assert row["status"] == "completed"


async def test_a_worker_without_a_schema_says_who_makes_it(logins: Logins) -> None:
    tracker = PostgresStore(logins.url("tracker"))

    with pytest.raises(StoreRefused, match="permission denied"):
        await tracker.open()


@pytest.mark.parametrize(
    ("role", "statement"),
    [
        ("tracker", "CREATE TABLE mine (x int)"),
        ("tracker", "DROP TABLE dead_letters"),
        ("reader", "UPDATE projection_positions SET next_offset = 0"),
        ("reader", "DELETE FROM pipeline_executions"),
    ],
)
async def test_nobody_may_do_more_than_his_work(logins: Logins, role: str, statement: str) -> None:
    owner = PostgresStore(logins.url("owner"))
    await owner.open()
    await owner.close()
    connection = await asyncpg.connect(logins.url(role))

    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await connection.execute(statement)
    await connection.close()
