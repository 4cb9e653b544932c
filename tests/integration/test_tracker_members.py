"""Workers share the partitions, and one that dies costs its own partitions only."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

import asyncpg
import pytest

from tests.integration.tracker_load import (
    Load,
    caught_up,
    expected_totals,
    kill,
    prepared,
    totals,
    until,
)
from tests.services import Services
from tracker_service.settings import Settings

SESSION_S = Settings.model_fields["tracker_session_timeout_s"].default
# Beyond the session: noticing, changing over, and other processes on the same cores.
VICTIM_TIMEOUT_S = SESSION_S + 12.0
# What a partition of a worker that lives may stand still; far below any session.
SURVIVOR_TIMEOUT_S = SESSION_S / 2
TRICKLE_PAUSE_S = 0.1


@pytest.fixture
async def load(
    kafka_bootstrap: str, postgres_url: str, topic_namespace: str, tmp_path: Path
) -> AsyncIterator[Load]:
    """Return a load on topics and rows of its own; settings are the product's defaults."""
    services = Services(kafka_bootstrap, postgres_url, topic_namespace, tmp_path, "none")
    try:
        yield await prepared(services)
    finally:
        await asyncio.to_thread(services.stop_all)


@dataclass
class Stillness:
    """Looks at the positions, and knows the longest time each stood still."""

    database_url: str
    longest_s: dict[int, float] = field(default_factory=dict)
    _moved: dict[int, tuple[int, float]] = field(default_factory=dict)

    async def watch(self) -> None:
        """Look until cancelled."""
        connection = await asyncpg.connect(self.database_url)
        try:
            while True:
                rows = await connection.fetch(
                    "SELECT partition, next_offset FROM projection_positions"
                )
                self._note(dict(rows), time.monotonic())
                await asyncio.sleep(0.1)
        finally:
            await connection.close()

    def _note(self, positions: dict[int, int], now_s: float) -> None:
        for partition, position in positions.items():
            before, since_s = self._moved.get(partition, (-1, now_s))
            if position != before:
                self._moved[partition] = (position, now_s)
                since_s = now_s if before == -1 else since_s
            longest_s = max(self.longest_s.get(partition, 0.0), now_s - since_s)
            self.longest_s[partition] = longest_s


async def assigned(services: Services, name: str) -> list[int]:
    """Return the partitions a worker was given last, by its log."""
    log = services.folder / f"{name}.log"
    told = [line for line in log.read_text().splitlines() if "partitions assigned" in line]
    return sorted(map(int, told[-1].split("[")[-1].strip(" ]").split(","))) if told else []


async def shared(services: Services, *names: str) -> dict[str, list[int]]:
    """Wait until the workers share all partitions; return who has which."""

    async def complete() -> bool:
        owned = [await assigned(services, name) for name in names]
        return all(owned) and sorted(chain(*owned)) == list(range(services.partitions))

    await until(complete, "all partitions shared out")
    return {name: await assigned(services, name) for name in names}


async def measured(load: Load, strike: Callable[[], Awaitable[None]]) -> dict[int, float]:
    """Strike under a trickle of executions; return how long each partition stood still."""
    writing = asyncio.create_task(load.write(20 * 250, pause_s=TRICKLE_PAUSE_S))
    stillness = Stillness(load.services.database_url)
    await asyncio.sleep(3)
    watching = asyncio.create_task(stillness.watch())
    await asyncio.sleep(1)
    await strike()
    await writing
    await until(lambda: caught_up(load), "all applied")
    watching.cancel()
    assert await totals(load.services.database_url) == expected_totals(load)
    return stillness.longest_s


@pytest.mark.parametrize("returns", [True, False], ids=["and started again", "for good"])
async def test_a_worker_killed_costs_its_own_partitions_only(load: Load, returns: bool) -> None:
    services = load.services
    services.start_tracker("w1")
    services.start_tracker("w2")
    owned = await shared(services, "w1", "w2")

    async def strike() -> None:
        kill(services.running.pop("w1"))
        await asyncio.sleep(1)
        if returns:
            services.start_tracker("w3")

    still_s = await measured(load, strike)

    assert max(still_s[p] for p in owned["w2"]) < SURVIVOR_TIMEOUT_S
    assert max(still_s[p] for p in owned["w1"]) < VICTIM_TIMEOUT_S
