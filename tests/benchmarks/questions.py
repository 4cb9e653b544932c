"""Questions to the API at a steady rate, each timed from the moment it was due."""

import asyncio
import itertools
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.benchmarks.many_rows import PIPELINES, execution_id

TIMEOUT_S = 30.0
Question = tuple[str, str, dict[str, Any]]


@dataclass
class Asking:
    """Asks lists, single executions and counts in turn; keeps milliseconds by kind."""

    url: str
    executions: int
    rate_per_s: float
    seed: int = 7
    took_ms: dict[str, list[float]] = field(default_factory=dict)
    failed: int = 0

    async def ask_for(self, seconds: float) -> None:
        """Ask for so long."""
        async with httpx.AsyncClient(
            base_url=self.url, timeout=TIMEOUT_S, trust_env=False
        ) as client:
            began_s = time.monotonic()
            waiting = []
            for number, question in enumerate(self._questions()):
                due_s = began_s + number / self.rate_per_s
                if due_s > began_s + seconds:
                    break
                await asyncio.sleep(max(0.0, due_s - time.monotonic()))
                waiting.append(asyncio.create_task(self._ask(client, due_s, *question)))
            await asyncio.gather(*waiting)

    async def _ask(
        self, client: httpx.AsyncClient, due_s: float, kind: str, path: str, query: dict[str, Any]
    ) -> None:
        answer = await client.get(path, params=query)
        self.failed += not answer.is_success
        self.took_ms.setdefault(kind, []).append((time.monotonic() - due_s) * 1000)

    def _questions(self) -> Iterator[Question]:
        chance = random.Random(self.seed)
        lists = itertools.cycle(
            [
                {},
                {"status": "failed"},
                {"status": ["running", "failed"]},
                {"pipeline_id": "p3"},
                {"pipeline_id": "p4", "status": "cancelled"},
                {"sort": "duration"},
                {"sort": "completed_at", "brief": True},
                {"min_duration_ms": 1_000, "brief": True},
            ]
        )
        counts = itertools.cycle([{}, {"status": "failed"}, {"pipeline_id": "p5"}])
        while True:
            pipeline = f"p{chance.randrange(PIPELINES)}"
            listed = next(lists)
            yield "list", "/api/executions", {**listed, "limit": 50}
            number = chance.randint(1, self.executions)
            yield "one", f"/api/executions/{execution_id(number)}", {}
            counted = next(counts)
            yield (
                "counts",
                "/api/counts",
                counted | ({"pipeline_id": pipeline} if "pipeline_id" in counted else {}),
            )
