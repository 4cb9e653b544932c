"""A database that is there and takes nothing: the worker says so, waits, and loses nothing."""

import asyncio
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import httpx
import pytest

from tests.integration.tracker_load import (
    Load,
    caught_up,
    expected_totals,
    prepared,
    totals,
    until,
)
from tests.services import Services


@dataclass(frozen=True)
class Refusal:
    """Statements that make the database refuse writes and take them again; `said` by the worker."""

    begins: tuple[str, ...]
    ends: tuple[str, ...]
    said: str


# The worker's connections are ended where a setting or right is looked at when one begins.
_ANEW: Final = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
    "WHERE datname = current_database() AND application_name = 'steplog-tracker'"
)
REFUSALS: Final = {
    "disk full": Refusal(
        (
            "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE "
            "EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100'; "
            "END $$",
            "CREATE TRIGGER full_disk BEFORE INSERT OR UPDATE ON step_executions "
            "EXECUTE FUNCTION full_disk()",
        ),
        ("DROP TRIGGER full_disk ON step_executions",),
        "No space left on device (SQLSTATE 53100)",
    ),
    "read-only": Refusal(
        ('ALTER DATABASE "{database}" SET default_transaction_read_only = on', _ANEW),
        ('ALTER DATABASE "{database}" RESET default_transaction_read_only', _ANEW),
        "in a read-only transaction (SQLSTATE 25006)",
    ),
    "no rights": Refusal(
        ("REVOKE INSERT ON step_executions FROM {role}",),
        ("GRANT INSERT ON step_executions TO {role}",),
        "permission denied for table step_executions (SQLSTATE 42501)",
    ),
}


@dataclass
class Refused:
    """A worker at work in a role of its own, and the way to break and mend its database."""

    load: Load
    database: asyncpg.Connection
    names: dict[str, str]
    ready_url: str

    async def run(self, statements: tuple[str, ...]) -> None:
        """Run statements as the owner."""
        await self.database.execute("SET default_transaction_read_only = off")
        for statement in statements:
            await self.database.execute(statement.format(**self.names))

    async def is_unready(self, reason: str) -> bool:
        """Whether the worker says that it is not ready for that reason."""
        async with httpx.AsyncClient() as client:
            answer = await client.get(self.ready_url)
        return answer.status_code == httpx.codes.SERVICE_UNAVAILABLE and reason in answer.text

    async def is_ready(self) -> bool:
        """Whether the worker says that it is ready."""
        async with httpx.AsyncClient() as client:
            return (await client.get(self.ready_url)).status_code == httpx.codes.OK


@pytest.fixture
async def refused(
    kafka_bootstrap: str, postgres_url: str, topic_namespace: str, tmp_path: Path
) -> AsyncIterator[Refused]:
    """Return a worker that has applied something."""
    database = await asyncpg.connect(postgres_url)
    parts = urlsplit(postgres_url)
    name = parts.path.removeprefix("/")
    role = f"{name}_worker"
    await database.execute(f"CREATE ROLE {role} LOGIN")
    await database.execute(f"GRANT ALL ON SCHEMA public TO {role}")
    # The server lets nobody in but its owner, so the role is put on inside the session.
    url = urlunsplit(parts._replace(query=f"{parts.query}&role={role}".lstrip("&")))
    port = free_port()
    services = Services(
        kafka_bootstrap,
        url,
        topic_namespace,
        tmp_path,
        "none",
        partitions=2,
        extra_environment={"STEPLOG_TRACKER_METRICS_PORT": str(port)},
    )
    try:
        load = await prepared(services)
        services.start_tracker()
        await load.write(20)
        await until(lambda: caught_up(load), "all applied")
        ready_url = f"http://127.0.0.1:{port}/readyz"
        yield Refused(load, database, {"database": name, "role": role}, ready_url)
    finally:
        await asyncio.to_thread(services.stop_all)
        await database.execute(f"DROP OWNED BY {role} CASCADE")
        await database.execute(f"DROP ROLE {role}")
        await database.close()


def free_port() -> int:
    """Return a port nobody listens on just now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@pytest.mark.parametrize("kind", REFUSALS)
async def test_what_the_database_refuses_is_told_and_waited_out(
    refused: Refused, kind: str
) -> None:
    refusal, load = REFUSALS[kind], refused.load
    worker = load.services.running["tracker"]
    ready_before = await refused.is_ready()
    await refused.run(refusal.begins)
    await load.write(60)

    await until(lambda: refused.is_unready(refusal.said), f"not ready: {refusal.said}")
    await refused.run(refusal.ends)
    await until(lambda: caught_up(load), "all applied")

    assert ready_before
    assert await totals(load.services.database_url) == expected_totals(load)
    assert worker.exit_code is None
    assert refusal.said in worker.log_tail()
    await until(refused.is_ready, "ready again")
