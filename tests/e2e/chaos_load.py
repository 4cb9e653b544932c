"""The work that chaos disturbs: commands sent bit by bit, some twice, and people who answer."""

import asyncio
import random
from dataclasses import dataclass, field
from datetime import timedelta

import asyncpg
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from executor_service.adapters.system_clock import SystemClock
from steplog_contracts.codec import encode_command
from steplog_contracts.commands import CancelExecution, Command, ResumeExecution, RunPipeline
from steplog_contracts.envelope import Record, SentCommand
from tests.benchmarks.load import send_all
from tests.e2e.chaos_steps import KINDS, LATER, LEFT_OPEN, PERSON, WITHDRAWN, Kind
from tests.services import Services

PORTIONS = 40
SENT_TWICE = 0.03
LATER_BY_S = (1.0, 15.0)
ANSWER_EVERY_S = 0.5
# Answered in one go; who is not reached now is asked about again.
MAX_ANSWERS = 200
SEND_TIMEOUT_S = 120.0
_WEIGHTS = [kind.weight for kind in KINDS]
_WAITING = """
    SELECT execution_id, pipeline_name FROM pipeline_executions
    WHERE status = 'waiting_for_human' AND pipeline_name = ANY($1)
"""


@dataclass
class Load:
    """Sends commands and remembers what must come of them."""

    services: Services
    producer: AIOKafkaProducer
    random_source: random.Random
    kinds: dict[str, Kind] = field(default_factory=dict)  # By execution id.
    commands: set[str] = field(default_factory=set)  # Ids of all that reached the topic.
    _answers: int = 0

    @property
    def left_open(self) -> set[str]:
        """Return the executions that nobody ever answers."""
        return {execution_id for execution_id, kind in self.kinds.items() if kind is LEFT_OPEN}

    async def send(self, executions: int, during_s: float) -> None:
        """Send so many RunPipeline commands, spread over a time."""
        size = -(-executions // PORTIONS)
        for first in range(0, executions, size):
            records: dict[str, list[Record]] = {}
            for number in range(first, min(first + size, executions)):
                self._add_run(records, number)
            await self._send(records)
            await asyncio.sleep(during_s / PORTIONS)

    async def answer_people(self) -> None:
        """Answer or withdraw what waits, again and again: repeats are part of the trouble."""
        while True:
            await asyncio.sleep(ANSWER_EVERY_S)
            try:
                await self._send(self._answers_to(await self._waiting()))
            except (OSError, asyncpg.PostgresError, TimeoutError):
                continue  # The database is down just now.

    async def left_to_commit(self) -> int:
        """Return how many commands the executors are not done with."""
        topic = self.services.topics.commands
        tps = [TopicPartition(topic.name, partition) for partition in range(topic.partitions)]
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self.services.bootstrap_servers,
            group_id=f"{self.services.namespace}.executor",
            enable_auto_commit=False,
        )
        await consumer.start()
        try:
            ends = await consumer.end_offsets(tps)
            return sum([ends[tp] - (await consumer.committed(tp) or 0) for tp in tps])
        finally:
            await consumer.stop()

    def _add_run(self, records: dict[str, list[Record]], number: int) -> None:
        execution_id, kind = f"chaos-{number}", self.random_source.choices(KINDS, _WEIGHTS)[0]
        self.kinds[execution_id] = kind
        not_before = None
        if kind is LATER:
            delay_s = self.random_source.uniform(*LATER_BY_S)
            not_before = SystemClock().now() + timedelta(seconds=delay_s)
        command = RunPipeline(
            execution_id=execution_id,
            definition=kind.definition,
            input={"n": 1, "gaps": int(kind.name == "weather_with_gaps")},
            not_before=not_before,
        )
        ids = [f"run-{number}"]
        if self.random_source.random() < SENT_TWICE:
            # A client that is not sure: the same command again, or a new one of the same meaning.
            ids.append(self.random_source.choice((f"run-{number}", f"run-{number}-again")))
        for command_id in ids:
            records.setdefault(command_id, []).append(_record(command, command_id))

    def _answers_to(self, waiting: list[asyncpg.Record]) -> dict[str, list[Record]]:
        records = {}
        for row in waiting[:MAX_ANSWERS]:
            self._answers += 1
            execution_id, command_id = row["execution_id"], f"answer-{self._answers}"
            command: Command = ResumeExecution(execution_id=execution_id, human_input={"ok": True})
            if row["pipeline_name"] == WITHDRAWN.name:
                command = CancelExecution(execution_id=execution_id, reason="withdrawn")
            records[command_id] = [_record(command, command_id)]
        return records

    async def _waiting(self) -> list[asyncpg.Record]:
        database = await asyncpg.connect(self.services.database_url, timeout=5)
        try:
            names = [PERSON.name, WITHDRAWN.name]
            return list(await database.fetch(_WAITING, names, timeout=10))
        finally:
            await database.close()

    async def _send(self, records: dict[str, list[Record]]) -> None:
        if not records:
            return
        self.commands |= records.keys()
        sending = [record for some in records.values() for record in some]
        try:
            async with asyncio.timeout(SEND_TIMEOUT_S):
                await send_all(self.producer, self.services.topics, sending)
        except KafkaError as error:
            # The client itself waits for a broker to come back; anything else is a real fault.
            raise AssertionError(f"commands could not be sent: {error!r}") from error


def _record(command: Command, command_id: str) -> Record:
    return encode_command(SentCommand(command_id, "/chaos", SystemClock().now(), command))
