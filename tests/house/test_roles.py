"""The rights of `deploy/postgres/roles.sql` are enough for each process, and no more."""

import asyncio
import re
import uuid
from collections.abc import AsyncIterator
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from steplog.local.postgres_programs import programs
from tests.house.deployment import DEPLOY
from tests.tracker.histories import History, Log, LogEntry
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
        self._url = self.given_url = url

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

    async def run(self, statement: str, *, again: bool = False) -> None:
        """Run a statement as the administrator, and then the file as well, if asked to."""
        admin = await asyncpg.connect(self._url)
        await admin.execute(statement)
        if again:
            await admin.execute(self.statements()[0])
        await admin.close()

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
        ("tracker", "TRUNCATE pipeline_executions"),
        ("tracker", "ALTER TABLE pipeline_executions ADD COLUMN mine int"),
        ("tracker", "CREATE SCHEMA mine"),
        ("tracker", "SELECT * FROM strangers"),
        ("tracker", "DELETE FROM strangers"),
        ("reader", "SELECT * FROM strangers"),
        ("owner", "DROP TABLE strangers"),
        ("reader", "INSERT INTO refused_commands DEFAULT VALUES"),
        ("reader", "UPDATE projection_positions SET next_offset = 0"),
        ("reader", "DELETE FROM pipeline_executions"),
    ],
)
async def test_nobody_may_do_more_than_his_work(logins: Logins, role: str, statement: str) -> None:
    owner = PostgresStore(logins.url("owner"))
    await owner.open()
    await owner.close()
    await logins.run("CREATE TABLE IF NOT EXISTS strangers (x int)", again=True)
    connection = await asyncpg.connect(logins.url(role))

    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await connection.execute(statement)
    await connection.close()


async def test_tables_of_before_there_were_roles_come_to_the_owner(logins: Logins) -> None:
    """An installation that ran as one superuser gets its rights by running the file."""
    before = PostgresStore(logins.given_url)
    await before.open()
    await before.close()
    await logins.run("SELECT 1", again=True)

    tracker = PostgresStore(logins.url("tracker"), copy_from_rows=1)
    await tracker.open()
    await Projector(tracker, TOPIC, Pacing(lambda: True)).apply(0, a_whole_execution())
    await tracker.close()
    owner = await asyncpg.connect(logins.url("owner"))
    strangers = await owner.fetchval(
        "SELECT count(*) FROM pg_tables WHERE schemaname = 'public' AND tableowner <> $1",
        f"{logins.prefix}_owner",
    )
    await owner.close()

    assert strangers == 0


def a_whole_execution() -> list[LogEntry]:
    """Return the log of one execution."""
    return Log().append(History("e-1").whole(2))


async def test_logins_are_made_and_changed_by_their_file(logins: Logins) -> None:
    """psql runs it, twice: with the second run's passwords the logins get in, with rights."""
    psql = programs() / "psql"
    names = {"MIGRATE": "owner", "WORKER": "tracker", "API": "reader"}
    text = (DEPLOY / "postgres/logins.sql").read_text()
    text = text.replace("steplog_", f"{logins.prefix}_").replace("tracker_", f"{logins.prefix}_t_")
    for attempt in ("first", "second"):
        passwords = {f"{name}_PASSWORD": f"{name}'{attempt}" for name in names}
        done = await asyncio.create_subprocess_exec(
            psql, logins.given_url, "--set=ON_ERROR_STOP=1", "--no-psqlrc", "--quiet",
            env=passwords, stdin=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        _, told = await done.communicate(text.encode())
        assert done.returncode == 0, told

    found = {}
    for name, role in names.items():
        login = f"{logins.prefix}_t_{name.lower()}"
        connection = await asyncpg.connect(logins.given_url, user=login, password=f"{name}'second")
        found[role] = await connection.fetchrow(
            "SELECT rolsuper, pg_has_role(session_user, $1, 'member') AS member FROM pg_roles "
            "WHERE rolname = session_user",
            f"{logins.prefix}_{role}",
        )
        await connection.close()
        await logins.run(f"DROP ROLE {login}")

    assert {role: tuple(row) for role, row in found.items()} == dict.fromkeys(ROLES, (False, True))


async def test_every_table_of_the_read_model_is_named(logins: Logins) -> None:
    owner = PostgresStore(logins.url("owner"))
    await owner.open()
    await owner.close()
    connection = await asyncpg.connect(logins.url("owner"))
    rows = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    await connection.close()
    text = (DEPLOY / "postgres/roles.sql").read_text()
    named = re.search(r"known text\[\] := ARRAY\[(.*?)\]", text, re.DOTALL)

    assert named is not None
    assert set(re.findall(r"'(\w+)'", named[1])) == {row["tablename"] for row in rows}
