"""Whatever stands in the log, the tracker goes past it, and what is well around it is in the rows.

Property: between two executions that are well, any records at all (arbitrary bytes and headers;
real histories with headers and fields spoilt, in any order) are applied or set aside, never raised,
on both databases; what was set aside can be read, tried again and skipped.
"""

import asyncio
import itertools
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from steplog_contracts.envelope import Record
from steplog_contracts.events import EVENT_CLASS_BY_TYPE
from tests.conformance.stores import (
    ReadModelUnderTest,
    new_database,
    postgres_read_model,
    sqlite_read_model,
)
from tests.tracker.histories import History, Log
from tests.verification.odd_records import (
    ANYTHING,
    NAMES,
    ODD_HEADERS,
    ODD_JSON,
    SPOILS,
    every_kind,
    spoilt,
    with_field,
    with_header,
)
from tracker_service.projector.dead_letters import retry, skip
from tracker_service.store.dead_letters import OPEN

ODDITIES = settings(
    max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True
)


@dataclass
class Tracked:
    """A read model that one log is applied to, example after example."""

    runner: asyncio.Runner
    rows: ReadModelUnderTest
    log: Log = field(default_factory=Log)
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def survives(self, records: list[Record]) -> None:
        """Apply records between two executions that are well, which must be in the rows then."""
        number = next(self.numbers)
        names = [f"well-before-{number}", f"well-behind-{number}"]
        before, behind = (History(name).whole() for name in names)
        self.runner.run(self._applied([*before, *records, *behind], names))

    async def _applied(self, records: list[Record], names: list[str]) -> None:
        await self.rows.receives(self.log.append(records))
        for name in names:
            assert (await self.rows.execution(name))["status"] == "completed"
        await self._decided()

    async def _decided(self) -> None:
        letters = self.rows.letters
        for letter in await letters.letters(unresolved=True, limit=20):
            await retry(letters, letter.id)
            if (await letters.letter(letter.id)).status == OPEN:
                await skip(letters, letter.id)


@pytest.fixture(params=["postgres", "sqlite"])
def tracked(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Tracked]:
    """Yield an empty read model of each kind."""
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        rows = runner.run(_entered(stack, request, tmp_path))
        yield Tracked(runner, rows)
        runner.run(stack.aclose())


async def _entered(
    stack: AsyncExitStack, request: pytest.FixtureRequest, folder: Path
) -> ReadModelUnderTest:
    if request.param == "sqlite":
        return await stack.enter_async_context(sqlite_read_model(folder / "rows.db"))
    url = await stack.enter_async_context(
        new_database(request.getfixturevalue("postgres_server_url"))
    )
    return await stack.enter_async_context(postgres_read_model(url))


@ODDITIES
@given(records=st.lists(ANYTHING, max_size=6))
def test_arbitrary_records_stop_nobody(tracked: Tracked, records: list[Record]) -> None:
    tracked.survives(records)


@ODDITIES
@given(spoils=SPOILS, order=st.randoms(use_true_random=False), shuffled=st.booleans())
def test_spoilt_histories_stop_nobody(
    tracked: Tracked, spoils: Any, order: Any, shuffled: bool
) -> None:
    records = spoilt(every_kind(f"odd-{next(tracked.numbers)}"), spoils)
    if shuffled:
        order.shuffle(records)

    tracked.survives(records)


def test_every_odd_header_of_every_kind_stops_nobody(tracked: Tracked) -> None:
    for name in NAMES:
        records = []
        for number, odd in enumerate(ODD_HEADERS):
            begun, *others = every_kind(f"{name}-{number}")
            at = number % len(others)
            spoiled = others[at]._replace(
                headers=with_header(others[at].headers, name, odd, "replaced")
            )
            first = History(f"{name}-first-{number}").started()
            headers = with_header(first.headers, name, odd, "replaced")
            records += [begun, *others[:at], spoiled, *others[at + 1 :]]
            records.append(first._replace(headers=headers))
        tracked.survives(records)


def test_every_odd_value_in_every_field_stops_nobody(tracked: Tracked) -> None:
    plain = every_kind("plain")
    for at, record in enumerate(plain):
        records = []
        for name in _fields_of(record):
            for number, odd in enumerate(ODD_JSON):
                history = every_kind(f"{at}-{name}-{number}")
                history[at] = history[at]._replace(value=with_field(history[at].value, name, odd))
                records += history[: at + 2]
        tracked.survives(records)


def _fields_of(record: Record) -> list[str]:
    kind = (dict(record.headers)["ce_type"] or b"").decode()
    return list(EVENT_CLASS_BY_TYPE[kind].model_fields)
