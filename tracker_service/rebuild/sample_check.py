"""A sample of the live rows, or single executions, held against the log."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import islice

from tracker_service.log.kafka_events_log import KafkaEventsLog
from tracker_service.rebuild.build_worker import fold_named
from tracker_service.rebuild.request import MAX_EXAMPLES, RebuildRequest
from tracker_service.rebuild.row_check import Checked, Checker, checker
from tracker_service.store.postgres.shadow.sample import any_executions

# Executions folded and compared together.
PAGE = 200


async def verify_sample(order: RebuildRequest, count: int, *, repair: bool = False) -> Checked:
    """Check so many executions chosen by chance.

    Raises:
        TrackerError: log or rows can't be read, or a repair could not be written.
    """
    async with _checker(order) as found:
        names = await any_executions(found.connection, found.live, count)
        return await _in_pages(found, names, repair=repair)


async def verify_executions(
    order: RebuildRequest, execution_ids: Sequence[str], *, repair: bool = False
) -> Checked:
    """Check these executions, with a row or without."""
    async with _checker(order) as found:
        return await _in_pages(found, execution_ids, repair=repair)


@asynccontextmanager
async def _checker(order: RebuildRequest) -> AsyncIterator[Checker]:
    async with (
        KafkaEventsLog(order.bootstrap_servers, order.topic).opened() as log,
        checker(order.database_url, log, order.topic, fold_named(order.fold)) as found,
    ):
        yield found


async def _in_pages(found: Checker, names: Sequence[str], *, repair: bool) -> Checked:
    total = Checked()
    waiting = iter(names)
    while page := list(islice(waiting, PAGE)):
        room = MAX_EXAMPLES - len(total.examples)
        total.add(await found.check(page, max_examples=room, repair=repair))
    return total
