"""One way to use a database, over SQLite and PostgreSQL alike."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from executor_service import ConnectionConfig, DatabaseManager
from executor_service.steps.database import DatabaseError, numbered_values


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.database)])
async def database(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[DatabaseManager]:
    """Return a manager over an empty table `cities`."""
    if request.param == "sqlite":
        manager = DatabaseManager(ConnectionConfig("sqlite", str(tmp_path / "steps.db")))
    else:
        manager = DatabaseManager(request.getfixturevalue("postgres_server_url"))
    await manager.execute("DROP TABLE IF EXISTS cities")
    await manager.execute("CREATE TABLE cities (name TEXT PRIMARY KEY, people INTEGER)")
    yield manager
    await manager.execute("DROP TABLE cities")
    await manager.disconnect()


async def add(database: DatabaseManager, name: str, people: int | None = 1) -> int:
    statement = "INSERT INTO cities (name, people) VALUES (:name, :people)"
    return await database.execute(statement, {"name": name, "people": people})


async def test_rows_come_back_as_dicts(database: DatabaseManager) -> None:
    touched = await add(database, "Bonn: a 'city'", 330_000)

    row = await database.fetch_one("SELECT * FROM cities WHERE people > :n", {"n": 5})

    assert touched == 1
    assert row == {"name": "Bonn: a 'city'", "people": 330_000}
    assert await database.fetch_one("SELECT * FROM cities WHERE name = 'x:y'") is None


async def test_a_transaction_that_raises_leaves_nothing(database: DatabaseManager) -> None:
    async def half_done() -> None:
        async with database.transaction():
            await add(database, "Bonn")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await half_done()

    assert await database.fetch_all("SELECT * FROM cities") == []


async def test_many_steps_may_use_it_at_once(database: DatabaseManager) -> None:
    await asyncio.gather(*(add(database, f"city {n}", n) for n in range(50)))

    (row,) = await database.fetch_all("SELECT count(*) AS n FROM cities")
    assert row["n"] == 50


async def test_a_connection_that_was_dropped_is_opened_again(database: DatabaseManager) -> None:
    await add(database, "Bonn")
    await database.disconnect()

    assert len(await database.fetch_all("SELECT * FROM cities")) == 1


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("sqlite:///steps.db", ConnectionConfig("sqlite", "steps.db")),
        ("sqlite:////data/steps.db", ConnectionConfig("sqlite", "/data/steps.db")),
        ("sqlite://", ConnectionConfig("sqlite", ":memory:")),
        (
            "postgresql://ada:p%40ss@db:5433/work",
            ConnectionConfig("postgresql", "work", "db", 5433, "ada", "p@ss"),
        ),
        (
            "postgresql://db/work?sslmode=verify-full&sslrootcert=%2Fca.pem",
            ConnectionConfig(
                "postgresql", "work", "db", query="sslmode=verify-full&sslrootcert=%2Fca.pem"
            ),
        ),
        (
            "postgresql:///?host=/run/db&port=6000&dbname=work&user=ada",
            ConnectionConfig("postgresql", "work", "/run/db", 6000, query="user=ada"),
        ),
    ],
)
def test_a_url_says_where_the_database_is(url: str, expected: ConnectionConfig) -> None:
    assert ConnectionConfig.from_url(url) == expected


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ada:p%40ss@db:5433/work?sslmode=require&application_name=a%26b",
        "postgresql://db:5432?user=ada",
        "postgresql://[::1]:5432/work",
        "postgresql://ada@/work?host=%2Frun%2Fdb&port=6000&sslmode=disable",
    ],
)
def test_a_url_is_given_on_as_it_came(url: str) -> None:
    """What was lost of it would be lost in silence: `sslmode`, for one."""
    assert ConnectionConfig.from_url(url).postgresql_url == url


def test_a_password_is_never_shown() -> None:
    config = ConnectionConfig("postgresql", "work", "db", 5432, "ada", "secret")

    assert "secret" not in repr(config)
    assert config.postgresql_url == "postgresql://ada:secret@db:5432/work"


def test_another_kind_of_database_is_refused() -> None:
    with pytest.raises(DatabaseError, match="mysql"):
        DatabaseManager("mysql://x/y")


def test_named_values_become_numbered_ones_but_not_inside_quotes_or_casts() -> None:
    statement = "SELECT ':no', \":no\", x::text FROM t WHERE a = :a AND b = :b AND c = :a"

    numbered, values = numbered_values(statement, {"a": 1, "b": 2})

    assert numbered == "SELECT ':no', \":no\", x::text FROM t WHERE a = $1 AND b = $2 AND c = $1"
    assert values == [1, 2]


def test_a_value_that_is_missing_is_named() -> None:
    with pytest.raises(DatabaseError, match="city"):
        numbered_values("SELECT :city", {})


async def test_a_database_that_is_away_is_told_in_one_sentence() -> None:
    database = DatabaseManager(ConnectionConfig("postgresql", "x", "127.0.0.1", 1))

    with pytest.raises(DatabaseError, match=r"127\.0\.0\.1:1.*can't be reached"):
        await database.connect()
