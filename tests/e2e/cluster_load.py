"""The work that a cluster's trouble disturbs, sent as people send it: by the client, by the API.

Whoever is not sure that a command arrived sends the same one again, until it is acknowledged.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count

import asyncpg
import httpx

from executor_service.adapters.system_clock import SystemClock
from steplog.client.client import Steplog
from steplog.errors import SteplogError
from steplog_contracts.partitioning import partition_of
from steplog_contracts.payload import JsonObject
from tests.e2e.chaos_steps import KINDS, LATER, LINEAR, PERSON, WITHDRAWN, Kind
from tests.e2e.cluster_verdict import Try, Wait

PRODUCERS = ("client", "api")
# Half of it is short and waits for nobody, so that its duration shows where something stood still.
SHORT_SHARE = 0.5
SENT_TWICE = 0.03
LATER_BY_S = (1.0, 10.0)
RETRY_AFTER_S = 0.5
GIVEN_UP_AFTER_S = 90.0
REQUEST_TIMEOUT_S = 15.0
POLL_S = 0.25
ANSWER_EVERY_S = 0.7
MAX_ANSWERS = 40
_ENDED = "SELECT execution_id, status FROM pipeline_executions WHERE completed_at IS NOT NULL"
_WAITING = """
    SELECT execution_id, pipeline_name FROM pipeline_executions
    WHERE status = 'waiting_for_human' AND pipeline_name = ANY($1)
"""


@dataclass
class ClusterLoad:
    """Sends commands and remembers what must come of them, and how each try went."""

    client: Steplog
    api: httpx.AsyncClient
    database_url: str
    partitions: int
    random_source: random.Random
    kinds: dict[str, Kind] = field(default_factory=dict)  # By execution id.
    tries: list[Try] = field(default_factory=list)
    began_s: dict[str, float] = field(default_factory=dict)  # Of the first try of each.
    ended: dict[str, float] = field(default_factory=dict)  # When its end was seen in the rows.
    not_taken: set[str] = field(default_factory=set)
    _sending: set[asyncio.Task[None]] = field(default_factory=set)

    async def send(self, executions: int, during_s: float) -> None:
        """Begin to send so many, spread over a time; who waits for a broker holds up nobody."""
        for _ in range(executions):
            number = len(self.kinds)
            kind = LINEAR
            if self.random_source.random() >= SHORT_SHARE:
                kind = self.random_source.choice(KINDS)
            execution_id = self._next_id()
            self._begin(execution_id, kind, f"run-{number}", PRODUCERS[number % 2])
            if self.random_source.random() < SENT_TWICE:
                again = PRODUCERS[(number + 1) % 2]
                self._begin(execution_id, kind, f"run-{number}-again", again)
            await asyncio.sleep(during_s / executions)

    def send_again(self, execution_ids: Iterable[str]) -> None:
        """Ask once more for executions of which nothing is left."""
        for number, execution_id in enumerate(execution_ids):
            self.ended.pop(execution_id, None)
            self.began_s.pop(execution_id)
            kind, producer = self.kinds[execution_id], PRODUCERS[number % 2]
            self._begin(execution_id, kind, f"{execution_id}-once-more", producer)

    async def sent(self) -> None:
        """Return once every command is acknowledged or given up."""
        while self._sending:
            await asyncio.wait(self._sending)

    def _next_id(self) -> str:
        """Return an id in the next partition, so that each is asked for something all the time."""
        number = len(self.kinds)
        ids = (f"cluster-{number}.{suffix}" for suffix in count())
        return next(e for e in ids if partition_of(e, self.partitions) == number % self.partitions)

    def _begin(self, execution_id: str, kind: Kind, command_id: str, producer: str) -> None:
        self.kinds[execution_id] = kind
        self.began_s.setdefault(execution_id, time.monotonic())
        given = self._given(execution_id, kind)
        task = asyncio.create_task(self._until_taken(producer, command_id, given))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    def _given(self, execution_id: str, kind: Kind) -> JsonObject:
        given: JsonObject = {
            "definition": kind.definition,
            "execution_id": execution_id,
            "input": {"n": 1, "gaps": int(kind.name == "weather_with_gaps")},
        }
        if kind is LATER:
            delay_s = self.random_source.uniform(*LATER_BY_S)
            given["not_before"] = SystemClock().now() + timedelta(seconds=delay_s)
        return given

    async def _until_taken(self, producer: str, command_id: str, given: JsonObject) -> None:
        deadline_s = time.monotonic() + GIVEN_UP_AFTER_S
        while time.monotonic() < deadline_s:
            if await self._tried(producer, lambda: self._run(producer, command_id, given)):
                return
            await asyncio.sleep(RETRY_AFTER_S)
        self.not_taken.add(f"{producer} did not get {given['execution_id']} taken")

    async def _run(self, producer: str, command_id: str, given: JsonObject) -> None:
        rest = dict(given)
        if producer == "client":
            definition, input_ = rest.pop("definition"), rest.pop("input")
            await self.client.run(definition, input_, command_id=command_id, **rest)
            return
        if "not_before" in rest:
            rest["not_before"] = rest["not_before"].isoformat()
        await self._post("", rest, {"Idempotency-Key": command_id})

    async def _tried(self, producer: str, ask: Callable[[], Awaitable[None]]) -> bool:
        began_s, problem = time.monotonic(), None
        try:
            await ask()
        except (SteplogError, httpx.HTTPError) as error:
            problem = f"{type(error).__name__}: {error}"
        self.tries.append(Try(producer, began_s, time.monotonic(), problem))
        return problem is None

    async def _post(self, path: str, body: JsonObject, headers: dict[str, str]) -> None:
        answer = await self.api.post(f"/api/executions{path}", json=body, headers=headers)
        if answer.status_code >= httpx.codes.INTERNAL_SERVER_ERROR:
            answer.raise_for_status()
        # 409: an answer that came before this one, or an execution that is there already.
        assert answer.status_code in (202, 404, 409), answer.text

    async def answer_people(self) -> None:
        """Answer or withdraw what waits, again and again: repeats are part of the trouble."""
        while True:
            await asyncio.sleep(ANSWER_EVERY_S)
            waiting = await self._rows(_WAITING, [PERSON.name, WITHDRAWN.name])
            for number, row in enumerate(waiting[:MAX_ANSWERS]):
                producer, execution_id = PRODUCERS[number % 2], row["execution_id"]
                is_withdrawn = row["pipeline_name"] == WITHDRAWN.name
                ask = self._answer(producer, execution_id, withdrawn=is_withdrawn)
                await self._tried(producer, ask)

    def _answer(
        self, producer: str, execution_id: str, *, withdrawn: bool
    ) -> Callable[[], Awaitable[None]]:
        async def by_client() -> None:
            if withdrawn:
                await self.client.cancel(execution_id, "withdrawn")
            else:
                await self.client.resume(execution_id, {"ok": True})

        async def by_api() -> None:
            path = f"/{execution_id}/{'cancel' if withdrawn else 'resume'}"
            body: JsonObject = {"reason": "w"} if withdrawn else {"human_input": {"ok": True}}
            await self._post(path, body, {"Idempotency-Key": f"answer-{execution_id}"})

        return by_client if producer == "client" else by_api

    async def watch_rows(self) -> None:
        """Note, for good, when each execution's end is first seen in the rows."""
        while True:
            for row in await self._rows(_ENDED):
                self.ended.setdefault(row["execution_id"], time.monotonic())
            await asyncio.sleep(POLL_S)

    def open_since(self, moment_s: float) -> list[str]:
        """Return the short executions asked for before a moment whose end is not seen yet."""
        return [e for e in self._short() if e not in self.ended and self.began_s[e] < moment_s]

    def waits(self) -> list[Wait]:
        """Return how long each short execution was waited for, until now if it has no end."""
        now_s = time.monotonic()
        return [Wait(e, self.began_s[e], self.ended.get(e, now_s)) for e in self._short()]

    def _short(self) -> list[str]:
        return [execution_id for execution_id, kind in self.kinds.items() if kind is LINEAR]

    async def _rows(self, sql: str, *values: object) -> list[asyncpg.Record]:
        """Ask the database; nothing while it is away."""
        try:
            database = await asyncpg.connect(self.database_url, timeout=5)
            try:
                return list(await database.fetch(sql, *values, timeout=5))
            finally:
                database.terminate()
        except (OSError, asyncpg.PostgresError, TimeoutError):
            return []
