"""A rebuild where the log lost records that rows were made from: the log is the truth.

Rows of executions of which no event is left vanish. That is counted and told first, and done only
by an order that names the number.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from tracker_service.log.kafka_events_log import KafkaEventsLog
from tracker_service.log.log_loss import LossCheck
from tracker_service.rebuild.errors import RebuildRefused
from tracker_service.rebuild.request import RebuildRequest
from tracker_service.store.postgres import statements
from tracker_service.store.postgres.errors import store_errors
from tracker_service.store.postgres.pool import Connection, open_pool
from tracker_service.store.postgres.store import live_positions
from tracker_service.store.write_port import Position

MAX_NAMED: Final = 20
_VANISHING = """
SELECT l.execution_id FROM "{live}".pipeline_executions AS l WHERE l.partition = ANY($1::integer[])
    AND NOT EXISTS (SELECT FROM "{shadow}".pipeline_executions AS s
        WHERE s.execution_id = l.execution_id)
ORDER BY 1
"""
_SKIP = """
UPDATE projection_positions AS p SET next_offset = b.log_begin, epoch = NULL, last_record = NULL,
    lost_reason = NULL, lost_at = NULL, generation = p.generation + 1
FROM unnest($2::integer[], $3::bigint[]) AS b(partition, log_begin)
WHERE p.topic = $1 AND p.partition = b.partition AND p.next_offset < b.log_begin
RETURNING p.partition
"""


class _LivePositions:
    """The positions of live rows, whatever fold made them; satisfies `store.port.Positions`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def positions(self, topic: str, partitions: list[int]) -> dict[int, Position]:
        """Return the position of each partition that has one."""
        known = await live_positions(self._connection, topic)
        return {partition: known[partition] for partition in partitions if partition in known}

    async def known_partitions(self, topic: str) -> int:
        """Return how many there are."""
        return len(await live_positions(self._connection, topic))

    async def note_lost(
        self, topic: str, reasons: Mapping[int, str], ends: Mapping[int, int]
    ) -> None:
        """Let live workers apply nothing to partitions any more."""
        told = [ends[partition] for partition in reasons]
        await self._connection.execute(
            statements.NOTE_LOST, topic, list(reasons), list(reasons.values()), told
        )

    async def clear_lost(self, topic: str, partitions: Sequence[int]) -> None:
        """Let live workers apply partitions again."""
        await self._connection.execute(statements.CLEAR_LOST, topic, list(partitions))


async def find_lost(
    connection: Connection, order: RebuildRequest, partitions: Iterable[int]
) -> dict[int, str]:
    """Return which of the partitions lost records the live rows were made from, and what.

    An order that swaps has it written down too, so that live workers apply nothing meanwhile.
    """
    log = KafkaEventsLog(order.bootstrap_servers, order.topic)
    check = LossCheck(_LivePositions(connection), log, order.topic)
    return await check.run(sorted(partitions), writes=order.swaps)


async def vanishing(
    connection: Connection, live: str, shadow: str, lost: Mapping[int, str]
) -> list[str]:
    """Return the executions with live rows of which the log has no event any more."""
    if not lost:
        return []
    rows = await connection.fetch(_VANISHING.format(live=live, shadow=shadow), sorted(lost))
    return [row[0] for row in rows]


def refuse_unless_allowed(order: RebuildRequest, names: list[str]) -> None:
    """Raise `RebuildRefused` if more executions would vanish than the order allows."""
    if len(names) <= (order.drop_lost or 0):
        return
    some = ", ".join(names[:MAX_NAMED]) + (", ..." if len(names) > MAX_NAMED else "")
    raise RebuildRefused(
        f"The log lost records: of {len(names)} executions no event is left, and their rows would "
        f"vanish ({some}). Nothing has been changed. To have the rows say what the log says, run "
        f"`steplog rebuild --drop-lost {len(names)}`; it goes on from here. The tables before are "
        "kept until `steplog rebuild --drop-old`."
    )


async def skip_removed(order: RebuildRequest) -> dict[int, int]:
    """Let positions before the log's beginning go on from there; return by partition where.

    Executions with events among those passed over become dead letters when more of them come.
    """
    bounds = await KafkaEventsLog(order.bootstrap_servers, order.topic).bounds()
    begins = dict(bounds.begins)
    pool = await open_pool(order.database_url, max_connections=1, application="steplog-rebuild")
    try:
        with store_errors():
            rows = await pool.fetch(_SKIP, order.topic, list(begins), list(begins.values()))
    finally:
        pool.terminate()
    return {row[0]: begins[row[0]] for row in rows}
