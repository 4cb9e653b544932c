"""A process that builds partitions: `python -m tracker_service.rebuild.build_worker`.

It reads its order and then one partition after another as lines of JSON from its input, and answers
in lines of JSON. When its input ends, so does it, at once: nobody is left to want the rows, and the
open transaction goes with the connection.
"""

import asyncio
import gc
import importlib
import json
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from steplog_contracts.errors import SteplogError
from tracker_service.compiled.header_parser import COMPILED
from tracker_service.log.batch_decoder import read_batches
from tracker_service.projections.batch_fold import BatchFold, FoldFactory
from tracker_service.projections.record_digest import digest_of
from tracker_service.projections.record_header import LogRecord, read_heading
from tracker_service.rebuild.log_reader import Span, SpanReader, span_reader
from tracker_service.rebuild.partition_fold import PartitionBuild, Window
from tracker_service.store.postgres.pool import Pool, open_pool
from tracker_service.store.postgres.shadow.dead_letters import letter_codes
from tracker_service.store.postgres.shadow.writer import ShadowWriter

# The live tracker and its database come first where all share a machine.
NICENESS = 10
CONNECTIONS = 3
LIVE_FOLD = f"{BatchFold.__module__}:{BatchFold.__name__}"
EXIT_ORPHANED = 1

# Told of a partition, the next offset to read, and rows written of it so far.
Progress = Callable[[int, int, int], None]


@dataclass(frozen=True, slots=True)
class BuildOrder:
    """What every partition is built with; `fold` names a `FoldFactory` as `module:name`."""

    bootstrap_servers: str
    database_url: str
    topic: str
    live_schema: str
    schema: str
    fold: str = LIVE_FOLD
    lenient: bool = False
    since: str | None = None
    until: str | None = None

    @property
    def window(self) -> Window | None:
        """The window, if only what began in it is built."""
        if self.since is None and self.until is None:
            return None
        return Window(_time(self.since), _time(self.until))

    def as_line(self) -> bytes:
        """Return the order as one line."""
        return json.dumps(asdict(self)).encode() + b"\n"


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def fold_named(name: str) -> FoldFactory:
    """Return the fold that `module:name` stands for."""
    module, _, attribute = name.partition(":")
    factory: FoldFactory = getattr(importlib.import_module(module), attribute)
    return factory


async def build_partition(
    order: BuildOrder, pool: Pool, reader: SpanReader, span: Span, progress: Progress
) -> int:
    """Build one partition; return how many rows that made."""
    letters = await letter_codes(pool, order.live_schema, order.topic, span.partition)
    writer = ShadowWriter(pool, span.partition)
    build = PartitionBuild(
        span,
        writer,
        fold_named(order.fold),
        letters,
        order.lenient,
        order.window,
        # Another fold than the live one has its own word on every event.
        short_way=COMPILED and order.fold == LIVE_FOLD,
    )
    await writer.begin()
    last: LogRecord | None = None
    async for run in reader.runs(span):
        await build.take(run)
        last = run[-1]
        progress(span.partition, run[-1].offset + 1, writer.rows)
    await build.finish()
    digest = None if last is None else digest_of(last, read_heading(last))
    await writer.commit(span.topic, span.end, build.epoch.current, build.plain.rows, digest)
    return writer.rows


@asynccontextmanager
async def build_pool(order: BuildOrder) -> AsyncIterator[Pool]:
    """Yield connections to the schema that is built."""
    pool = await open_pool(
        order.database_url,
        max_connections=CONNECTIONS,
        application="steplog-rebuild",
        schema=order.schema,
        statement_timeout_s=None,
    )
    try:
        yield pool
    finally:
        pool.terminate()


def tell(**facts: Any) -> None:
    """Answer with one line."""
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()


async def work() -> None:
    """Build what is asked for until the input ends."""
    lines = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(lines)
    await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, sys.stdin)
    order = BuildOrder(**json.loads(await lines.readline()))
    wanted: asyncio.Queue[Span] = asyncio.Queue()
    watching = asyncio.create_task(_listen(lines, order.topic, wanted))
    async with build_pool(order) as pool, span_reader(order.bootstrap_servers) as reader:
        while not watching.done():
            span = await wanted.get()
            rows = await build_partition(order, pool, reader, span, _tell_progress)
            tell(built=span.partition, rows=rows)


def _tell_progress(partition: int, next_offset: int, rows: int) -> None:
    tell(partition=partition, offset=next_offset, rows=rows)


async def _listen(lines: asyncio.StreamReader, topic: str, wanted: asyncio.Queue[Span]) -> None:
    while line := await lines.readline():
        wanted.put_nowait(Span(topic, **json.loads(line)))
    os._exit(EXIT_ORPHANED)


def main() -> None:
    """Run; what goes wrong is told in one line."""
    os.nice(NICENESS)
    read_batches()
    gc.freeze()
    gc.set_threshold(100_000, 50, 50)
    try:
        asyncio.run(work())
    except SteplogError as error:
        tell(refused=str(error))
    except KeyboardInterrupt:
        os._exit(EXIT_ORPHANED)


if __name__ == "__main__":
    main()
