"""Every question the API asks goes by an index, on 80,000 executions; the plans are printed.

`pytest -rP tests/integration/test_tracker_plans.py` shows them. A new question belongs in
`QUESTIONS`, or, where it has to count everything there is, in `COUNT_EVERYTHING`.
"""

import asyncio
import re
import sys
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from tests.integration.rows_at_scale import LARGE_TABLES, fill
from tracker_service.store.postgres import statements
from tracker_service.store.postgres.dead_letters import PostgresDeadLetters
from tracker_service.store.postgres.pruning import _REFUSALS, _UNUSED, _VICTIMS
from tracker_service.store.postgres.read_model import PostgresReadModel
from tracker_service.store.postgres.store import PostgresStore
from tracker_service.store.pruning import PRUNED_TABLES
from tracker_service.store.queries import ExecutionFilter, PastFilter, Row, Sort, Window
from tracker_service.store.read_port import ReadModel
from tracker_service.store.sql.as_of import PastRows

Ask = Callable[[PostgresReadModel], Awaitable[Any]]

AT: Final = datetime(2026, 1, 1, 3, tzinfo=UTC)
WINDOW: Final = Window(AT, AT + timedelta(minutes=1), 60)


def listed(**filters: Any) -> Ask:
    """A page of executions with these filters."""
    return lambda model: model.page(ExecutionFilter(**filters))


def counted(**filters: Any) -> Ask:
    """Counts by status with these filters."""
    return lambda model: model.counts(ExecutionFilter(**filters))


QUESTIONS: Final[dict[str, Ask]] = {
    "page: newest": listed(),
    "page: next": listed(after=(AT, "e-9")),
    "page: by status": listed(statuses=("failed", "running")),
    "page: by pipeline": listed(pipeline_id="p-3"),
    "page: by pipeline and status": listed(pipeline_id="p-3", statuses=("running",)),
    "page: started between": listed(started_from=AT, started_before=AT + timedelta(minutes=5)),
    "page: by duration": listed(sort=Sort.DURATION, min_duration_ms=100.0),
    "page: by end": listed(sort=Sort.COMPLETED_AT, after=(AT, "e-9")),
    "page: text in error": listed(statuses=("failed",), error_text="broken"),
    "page: metadata": listed(metadata=(("team", "team-3"),)),
    "page: waiting": listed(statuses=("waiting_for_human",), waiting=True),
    "counts": counted(),
    "counts: filtered": counted(pipeline_id="p-3", started_from=AT),
    "execution": lambda model: model.execution("e-77"),
    "executions_by_id": lambda model: model.executions_by_id(["e-77", "e-78"]),
    "steps": lambda model: model.steps("e-77"),
    "bars": lambda model: model.bars("e-77"),
    "items: a page": lambda model: model.items.page("e-77", "each", 1),
    "items: a page of failures": lambda model: model.items.page("e-77", "each", 1, status="failed"),
    "attempts": lambda model: model.attempts("e-77"),
    "status_changes": lambda model: model.status_changes("e-77"),
    "compensations": lambda model: model.compensations("e-77"),
    "relatives": lambda model: model.relatives("e-100"),
    "definition": lambda model: model.definition("h-1"),
    "definition_hashes": lambda model: model.definition_hashes(),
    "refusals": lambda model: model.refusals("e-77"),
    "pipelines": lambda model: model.pipelines(),
    "interactions": lambda model: model.interactions(),
    "interactions: of one": lambda model: model.interactions(execution_id="e-77"),
    "interaction": lambda model: model.interaction("i-e-77"),
    "command": lambda model: model.command("c-77"),
    "stored_payload": lambda model: model.stored_payload("e-77", "0" * 64),
    "pipeline_statistics": lambda model: model.pipeline_statistics(WINDOW),
    "step_statistics": lambda model: model.step_statistics(WINDOW),
    "changed": lambda model: model.changed({0: 900, 1: 900}, {0: 990, 1: 990}),
    "freshness": lambda model: model.freshness("t.events"),
    "drift": lambda model: model.drift("t.events"),
    "rebuild": lambda model: model.rebuild(),
    "pruned_before": lambda model: model.pruned_before(),
    "dead_letter_count": lambda model: model.dead_letter_count(),
    "dead_letters": lambda model: model.dead_letters(unresolved=True, limit=50),
    "dead_letter": lambda model: model.dead_letter(7),
    "past: page": lambda model: model.past.page(PastFilter(AT)),
    "past: page by status": lambda model: model.past.page(PastFilter(AT, status="failed")),
    "past: page by pipeline": lambda model: model.past.page(PastFilter(AT, pipeline_id="p-3")),
    "past: execution": lambda model: model.past.execution("e-77", AT),
    "past: steps": lambda model: model.past.steps("e-77", AT),
    "past: interactions": lambda model: model.past.interactions("e-77", AT),
    "past: begin": lambda model: model.past.begin(),
}
COUNT_EVERYTHING: Final = {"tally", "statistics", "past: counts"}
NO_QUESTIONS: Final = {"open", "close", "past", "executions"}  # The last one is a page's rows.


class Explained(PostgresReadModel):
    """A read model that explains each statement before it runs it."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.plans: list[str] = []

    async def _fetch(self, query: str, *values: Any) -> Sequence[Row]:
        lines = await self.pool.fetch(f"EXPLAIN {query}", *values)
        self.plans.append("\n".join(line[0] for line in lines))
        return await super()._fetch(query, *values)

    async def dead_letters(self, *, unresolved: bool, limit: int) -> Any:
        """Explain, then answer."""
        letters = PostgresDeadLetters(ExplainingPool(self))  # type: ignore[arg-type]
        return await letters.letters(unresolved=unresolved, limit=limit)

    async def dead_letter(self, letter_id: int) -> Any:
        """Explain, then answer."""
        letters = PostgresDeadLetters(ExplainingPool(self))  # type: ignore[arg-type]
        return await letters.letter(letter_id)


class ExplainingPool:
    """Stands before a model's pool."""

    def __init__(self, model: Explained) -> None:
        self._model = model

    async def fetch(self, query: str, *values: Any) -> Any:
        """Explain, then answer."""
        await self._model._fetch(query, *values)
        return await self._model.pool.fetch(query, *values)

    async def fetchrow(self, query: str, *values: Any) -> Any:
        """Explain, then answer."""
        return (await self.fetch(query, *values))[0]


def show(name: str, plan: str) -> None:
    """Keep a plan in the test's output."""
    sys.stdout.write(f"{name}\n{plan}\n")


def reads_whole(plan: str) -> list[str]:
    """Return the large tables a plan reads from end to end.

    What stands below a limit stops there: of what is common a planner rather walks the table.
    """
    scans = re.findall(r"(.*)\n.*Seq Scan on (\w+)", f"\n{plan}")
    return [table for above, table in scans if table in LARGE_TABLES and "Limit" not in above]


@pytest.fixture(scope="module")
def database(postgres_server_url: str) -> Iterator[str]:
    """Return the URL of a filled database."""
    name = f"plans_{uuid.uuid4().hex[:12]}"
    asyncio.run(_execute(postgres_server_url, f'CREATE DATABASE "{name}"'))
    url = urlunsplit(urlsplit(postgres_server_url)._replace(path=f"/{name}"))
    asyncio.run(_filled(url))
    yield url
    asyncio.run(_execute(postgres_server_url, f'DROP DATABASE "{name}" WITH (FORCE)'))


async def _execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(statement)
    await connection.close()


async def _filled(url: str) -> None:
    store = PostgresStore(url)
    await store.open()
    await fill(store.pool)
    await store.close()


@asynccontextmanager
async def explained(url: str) -> AsyncIterator[Explained]:
    """Yield the read model, open."""
    model = Explained(url)
    await model.open()
    try:
        yield model
    finally:
        await model.close()


@pytest.mark.parametrize("question", QUESTIONS)
async def test_a_question_goes_by_an_index(database: str, question: str) -> None:
    async with explained(database) as model:
        await QUESTIONS[question](model)

    told = "\n".join(model.plans)
    show(question, told)
    assert model.plans
    assert reads_whole(told) == []


def test_every_question_is_asked_here() -> None:
    asked = {name.partition(":")[0] for name in QUESTIONS if not name.startswith("past:")}
    of_the_past = {name.removeprefix("past: ").split()[0] for name in QUESTIONS if "past:" in name}
    there = {name for name in vars(ReadModel) if not name.startswith("_")} - NO_QUESTIONS
    there_of_the_past = {name for name in vars(PastRows) if not name.startswith("_")}

    assert there - asked == {name for name in COUNT_EVERYTHING if ":" not in name}
    assert there_of_the_past - of_the_past == {"counts"}


async def plan_of(pool: asyncpg.Pool, query: str) -> str:
    """Return the plan of a statement that is made and kept for any arguments."""
    arguments = max((int(number) for number in re.findall(r"\$(\d+)", query)), default=0)
    nulls = f"({', '.join(['NULL'] * arguments)})" if arguments else ""
    async with pool.acquire() as connection:
        await connection.execute(f"PREPARE asked AS {query}")
        lines = await connection.fetch(f"EXPLAIN EXECUTE asked{nulls}")
        await connection.execute("DEALLOCATE asked")
    return "\n".join(line[0] for line in lines)


WRITING: Final = {
    "advance": statements.ADVANCE,
    "load executions": statements.LOAD_EXECUTIONS,
    "load visits": statements.LOAD_VISITS,
    "prune": _VICTIMS,
    "prune refusals": f"DELETE FROM refused_commands WHERE command_id IN ({_REFUSALS})",
    "prune definitions": f"DELETE FROM pipeline_definitions WHERE definition_hash IN ({_UNUSED})",
    **{
        f"prune {table}": f"DELETE FROM {table} WHERE execution_id = ANY($1::text[])"
        for table in PRUNED_TABLES
    },
}


@pytest.mark.parametrize("name", WRITING)
async def test_what_the_worker_runs_goes_by_keys(database: str, name: str) -> None:
    """Its plans are made without knowing the arguments, and kept."""
    store = PostgresStore(database)
    await store.open()
    try:
        told = await plan_of(store.pool, WRITING[name])
    finally:
        await store.close()

    show(name, told)
    assert reads_whole(told) == []
