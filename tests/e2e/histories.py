"""What the events topic says, read whole and judged without the engine or the projection."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field

from aiokafka import AIOKafkaConsumer, TopicPartition

from contracts.codec import decode_event
from contracts.envelope import RecordedEvent
from contracts.epoch import EpochRule
from contracts.events import (
    ENDINGS,
    CommandRefused,
    ExecutionStarted,
    PartitionClaimed,
    StepCompleted,
    StepFailed,
    StepStarted,
)
from contracts.topics import Topic


async def read_histories(bootstrap_servers: str, events: Topic) -> dict[str, list[RecordedEvent]]:
    """Return each execution's events that readers take, in order of the log."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap_servers)
    await consumer.start()
    histories: dict[str, list[RecordedEvent]] = defaultdict(list)
    try:
        for partition in range(events.partitions):
            tp = TopicPartition(events.name, partition)
            consumer.assign([tp])
            await consumer.seek_to_beginning(tp)
            end, rule = (await consumer.end_offsets([tp]))[tp], EpochRule()
            while await consumer.position(tp) < end:
                for message in (await consumer.getmany(tp, timeout_ms=500)).get(tp, []):
                    recorded = decode_event(message.value, message.headers)
                    epoch = recorded.envelope.writer_epoch
                    taken = rule.admits(message.offset, recorded.event.event_type, epoch)
                    if taken and not isinstance(recorded.event, PartitionClaimed | CommandRefused):
                        histories[recorded.envelope.execution_id].append(recorded)
    finally:
        await consumer.stop()
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
    needs: dict[str, tuple[tuple[str, ...], ...]],
) -> Judgement:
    """Return what is wrong.

    `needs` says for a step which others must be recorded as ended before it starts, as
    alternatives: any one whole group is enough.
    """
    judgement = Judgement()
    for execution_id in expected | set(histories):
        history = histories.get(execution_id, [])
        _judge_one(judgement, execution_id, history, needs)
    return judgement


def _judge_one(
    judgement: Judgement,
    execution_id: str,
    history: list[RecordedEvent],
    needs: dict[str, tuple[tuple[str, ...], ...]],
) -> None:
    events = [recorded.event for recorded in history]
    if sum(isinstance(event, ExecutionStarted) for event in events) != 1:
        judgement.not_begun_once.append(execution_id)
    if sum(isinstance(event, ENDINGS) for event in events) != 1:
        judgement.not_ended_once.append(execution_id)
    seqs = [recorded.envelope.seq for recorded in history]
    if seqs != list(range(1, len(seqs) + 1)):
        judgement.broken_seq.append(execution_id)
    ended: Counter[str] = Counter()
    visits: Counter[tuple[str, int]] = Counter()
    for event in events:
        if isinstance(event, StepStarted):
            groups = needs.get(event.step_id, ((),))
            if not any(all(ended[step] for step in group) for group in groups):
                judgement.early_starts.append(f"{execution_id}/{event.step_id}")
        elif isinstance(event, StepCompleted | StepFailed):
            ended[event.step_id] += 1
            visits[event.step_id, event.iteration] += 1
    judgement.double_completions += [
        f"{execution_id}/{step}/{iteration}"
        for (step, iteration), count in visits.items()
        if count > 1
    ]
