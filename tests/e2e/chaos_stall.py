"""What to print when executions do not end: which, where each stands, what the processes say."""

from collections import Counter
from collections.abc import Mapping, Sequence

import asyncpg
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from steplog_contracts.topics import Topics
from tests.e2e.chaos_steps import Kind
from tests.e2e.histories import Placed, read_log
from tests.services import Services

MAX_NAMED = 20
LOG_LINES = 25
# The Kafka client says these several times a second while the broker is away.
_NOISE = ("Connection refused", "Unable to update metadata", "is not ready", "Connect call failed")
_POSITIONS = "SELECT partition, next_offset, epoch FROM projection_positions ORDER BY partition"
_ROWS = "SELECT execution_id, status, seq FROM pipeline_executions"


async def diagnosis(services: Services, kinds: Mapping[str, Kind], names: Sequence[str]) -> str:
    """Return everything a person needs to find out why nothing moves."""
    log = await read_log(services.bootstrap_servers, services.topics.events)
    last = {p.recorded.envelope.execution_id: p for p in log}
    try:
        rows, positions = await _tables(services.database_url)
    except (OSError, asyncpg.PostgresError, TimeoutError) as error:
        rows, positions = {}, [f"  the database does not answer: {error!r}"]
    behind = [e for e, kind in kinds.items() if rows.get(e, ("none", 0))[0] != kind.ends_as]
    counts = Counter(kinds[execution_id].name for execution_id in behind)
    lines = [f"{len(behind)} of {len(kinds)} executions are not done: {dict(counts)}"]
    lines += [_place(e, kinds, last.get(e), rows.get(e)) for e in behind[:MAX_NAMED]]
    lines += ["what the executors committed:", *await _commits(services)]
    lines += ["where the tracker stands:", *positions]
    for name in names:
        lines += [f"the end of the log of {name}:", *_log_end(services, name)]
    return "\n".join(lines)


def _place(
    execution_id: str, kinds: Mapping[str, Kind], last: Placed | None, row: tuple[str, int] | None
) -> str:
    where = "no event"
    if last is not None:
        envelope, event = last.recorded.envelope, last.recorded.event
        step = getattr(event, "step_id", "")
        where = (
            f"seq {envelope.seq} {type(event).__name__} {step} of {envelope.time:%H:%M:%S} at "
            f"{last.partition}:{last.offset}, epoch {envelope.writer_epoch}, {envelope.source}"
        )
    return f"  {execution_id} ({kinds[execution_id].name}): {where}; row: {row}"


async def _tables(database_url: str) -> tuple[Mapping[str, tuple[str, int]], list[str]]:
    database = await asyncpg.connect(database_url, timeout=5)
    try:
        rows = await database.fetch(_ROWS, timeout=10)
        positions = await database.fetch(_POSITIONS, timeout=10)
    finally:
        await database.close()
    return (
        {row["execution_id"]: (row["status"], row["seq"]) for row in rows},
        [
            f"  partition {p['partition']}: {p['next_offset']}, epoch {p['epoch']}"
            for p in positions
        ],
    )


async def _commits(services: Services) -> list[str]:
    topics: Topics = services.topics
    admin = AIOKafkaAdminClient(bootstrap_servers=services.bootstrap_servers)
    await admin.start()
    try:
        committed = await admin.list_consumer_group_offsets(f"{services.namespace}.executor")
    finally:
        await admin.close()
    return [
        f"  partition {p}: {committed.get(TopicPartition(topics.commands.name, p))}"
        for p in range(topics.commands.partitions)
    ]


def _log_end(services: Services, name: str) -> list[str]:
    path = services.folder / f"{name}.log"
    lines = path.read_text(errors="replace").splitlines() if path.exists() else []
    telling = [line for line in lines if not any(noise in line for noise in _NOISE)]
    return [f"  {line}" for line in telling[-LOG_LINES:]]
