"""The live tables' dead letters, as a rebuild takes their decisions over."""

from tracker_service.store.postgres.errors import store_errors
from tracker_service.store.postgres.pool import Connection, Pool


async def letter_codes(pool: Pool, live_schema: str, topic: str, partition: int) -> dict[int, str]:
    """Return the codes of a partition's letters by offset, whatever became of them."""
    with store_errors():
        rows = await pool.fetch(
            f'SELECT log_offset, code FROM "{live_schema}".dead_letters '
            "WHERE topic = $1 AND partition = $2",
            topic,
            partition,
        )
    return {row[0]: row[1] for row in rows}


async def letter_statuses(
    connection: Connection, live_schema: str, topic: str
) -> dict[tuple[int, int], tuple[str, str]]:
    """Return status and code of every letter by partition and offset."""
    rows = await connection.fetch(
        f"SELECT partition, log_offset, status, code "
        f'FROM "{live_schema}".dead_letters WHERE topic = $1',
        topic,
    )
    return {(row[0], row[1]): (row[2], row[3]) for row in rows}


async def unknown_letters(connection: Connection, topic: str, live: str, shadow: str) -> int:
    """Return how many records the shadow rows set aside that the live rows did not."""
    count = await connection.fetchval(
        f'SELECT count(*) FROM "{shadow}".dead_letters AS s WHERE s.topic = $1 '
        f'AND NOT EXISTS (SELECT FROM "{live}".dead_letters AS l WHERE l.topic = s.topic '
        "AND l.partition = s.partition AND l.log_offset = s.log_offset)",
        topic,
    )
    return int(count)
