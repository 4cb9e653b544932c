"""What the events topic says, read whole and judged without the engine or the projection."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from steplog_contracts.codec import decode_event
from steplog_contracts.envelope import NO_SEQ, RecordedEvent
from steplog_contracts.epoch import EpochRule
from steplog_contracts.events import (
    ENDINGS,
    ExecutionStarted,
    StepCompleted,
    StepFailed,
    StepStarted,
    StepWaiting,
)
from steplog_contracts.topics import Topic

# Step -> the groups of steps of which one must have ended before it starts.
Needs = Mapping[str, tuple[tuple[str, ...], ...]]


class Placed(NamedTuple):
    """An event that readers take, and where in the topic it stands."""

    partition: int
    offset: int
    recorded: RecordedEvent


async def read_log(bootstrap_servers: str, events: Topic) -> list[Placed]:
    """Return the events that readers take, partition by partition, in order of the log."""
    found = await read_records(bootstrap_servers, events)
    return [one for partition, records in found.items() for one in admitted(partition, records)]


async def read_records(bootstrap_servers: str, topic: Topic) -> dict[int, list[ConsumerRecord]]:
    """Return a topic's records as they are, by partition, in order of the log."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap_servers)
    await consumer.start()
    records: dict[int, list[ConsumerRecord]] = {}
    try:
        for partition in range(topic.partitions):
            tp = TopicPartition(topic.name, partition)
            consumer.assign([tp])
            await consumer.seek_to_beginning(tp)
            end, found = (await consumer.end_offsets([tp]))[tp], []
            while await consumer.position(tp) < end:
                found += (await consumer.getmany(tp, timeout_ms=500)).get(tp, [])
            records[partition] = found
    finally:
        await consumer.stop()
    return records


class _Logged(Protocol):
    @property
    def offset(self) -> int: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Sequence[tuple[str, bytes]]: ...


def admitted(partition: int, records: Iterable[_Logged]) -> Iterator[Placed]:
    """Yield the events of a whole partition that readers take."""
    rule = EpochRule()
    for record in records:
        recorded = decode_event(record.value, list(record.headers))
        epoch = recorded.envelope.writer_epoch
        if rule.admits(record.offset, recorded.event.event_type, epoch):
            yield Placed(partition, record.offset, recorded)


async def read_histories(bootstrap_servers: str, events: Topic) -> dict[str, list[RecordedEvent]]:
    """Return each execution's events that readers take, in order of the log."""
    return by_execution(await read_log(bootstrap_servers, events))


def by_execution(log: Iterable[Placed]) -> dict[str, list[RecordedEvent]]:
    """Return each execution's events; claims and refusals belong to none."""
    histories: dict[str, list[RecordedEvent]] = defaultdict(list)
    for _, _, recorded in log:
        if recorded.envelope.seq != NO_SEQ:
            histories[recorded.envelope.execution_id].append(recorded)
    return histories


@dataclass
class Judgement:
    """What is wrong with a set of histories; all counters zero means nothing is."""

    not_begun_once: list[str] = field(default_factory=list)
    not_ended_once: list[str] = field(default_factory=list)
    broken_seq: list[str] = field(default_factory=list)
    double_completions: list[str] = field(default_factory=list)
    early_starts: list[str] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        """Return whether nothing is wrong."""
        return self == Judgement()


def judge(
    histories: dict[str, list[RecordedEvent]],
    expected: set[str],
    needs: Needs,
    parked: Set[str] = frozenset(),
) -> Judgement:
    """Return what is wrong.

    `needs` says for a step which others must be recorded as ended before it starts, as
    alternatives: any one whole group is enough. The executions in `parked` wait for good: their
    last event says so, and they have no end.
    """
    judgement = Judgement()
    for execution_id in expected | set(histories):
        history = histories.get(execution_id, [])
        _judge_one(judgement, execution_id, history, needs)
        ends = sum(isinstance(recorded.event, ENDINGS) for recorded in history)
        waits = bool(history) and isinstance(history[-1].event, StepWaiting)
        if not (waits and ends == 0 if execution_id in parked else ends == 1):
            judgement.not_ended_once.append(execution_id)
    return judgement


def _judge_one(
    judgement: Judgement,
    execution_id: str,
    history: list[RecordedEvent],
    needs: Needs,
) -> None:
    events = [recorded.event for recorded in history]
    if sum(isinstance(event, ExecutionStarted) for event in events) != 1:
        judgement.not_begun_once.append(execution_id)
    seqs = [recorded.envelope.seq for recorded in history]
    if seqs != list(range(1, len(seqs) + 1)):
        judgement.broken_seq.append(execution_id)
    ended: Counter[str] = Counter()
    visits: Counter[tuple[str, int]] = Counter()
    for event in events:
        if isinstance(event, StepStarted):
            groups = needs.get(event.step_id, ((),))
            enabled = any(all(ended[step] for step in group) for group in groups)
            if not enabled or ended[event.step_id] < event.iteration - 1:
                judgement.early_starts.append(f"{execution_id}/{event.step_id}")
        elif isinstance(event, StepCompleted | StepFailed):
            ended[event.step_id] += 1
            visits[event.step_id, event.iteration] += 1
    judgement.double_completions += [
        f"{execution_id}/{step}/{iteration}"
        for (step, iteration), count in visits.items()
        if count > 1
    ]
