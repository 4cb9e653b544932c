"""All partitions built by a few processes, the largest first."""

import asyncio
import json
import os
import sys
from collections.abc import Sequence

from tracker_service.rebuild.build_worker import BuildOrder, Progress, build_partition, build_pool
from tracker_service.rebuild.errors import RebuildRefused, RebuildStopped
from tracker_service.rebuild.log_reader import Span, span_reader

# Folding takes a core each; more than this and the database is what everybody waits for.
MAX_PROCESSES = 4
SHORT_LOG_EVENTS = 50_000
LINE_LIMIT_BYTES = 1024 * 1024
_MODULE = "tracker_service.rebuild.build_worker"


def processes_for(spans: Sequence[Span], wanted: int | None) -> int:
    """Return how many processes build so many partitions."""
    return max(1, min(wanted or MAX_PROCESSES, os.cpu_count() or 1, len(spans)))


def wanted_here(spans: Sequence[Span], processes: int | None) -> bool:
    """Whether a log is so short that starting processes would take longer than reading it."""
    return processes is None and sum(s.end - s.begin for s in spans) < SHORT_LOG_EVENTS


async def build_all(
    order: BuildOrder, spans: Sequence[Span], progress: Progress, processes: int | None = None
) -> int:
    """Build the partitions; return how many rows that made.

    Raises:
        RebuildRefused: a partition can't be built; none of the others is left half-built.
    """
    if wanted_here(spans, processes):
        return await _build_here(order, spans, progress)
    waiting = sorted(spans, key=lambda span: span.end - span.begin)
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(_build_some(order, waiting, progress))
                for _ in range(processes_for(spans, processes))
            ]
    except* RebuildRefused as refused:
        raise refused.exceptions[0] from None
    return sum(task.result() for task in tasks)


async def _build_here(order: BuildOrder, spans: Sequence[Span], progress: Progress) -> int:
    async with build_pool(order) as pool, span_reader(order.bootstrap_servers) as reader:
        built = [await build_partition(order, pool, reader, span, progress) for span in spans]
    return sum(built)


async def _build_some(order: BuildOrder, waiting: list[Span], progress: Progress) -> int:
    rows = 0
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        _MODULE,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=LINE_LIMIT_BYTES,
        # Ctrl-C is for the parent, whose end ends the children.
        start_new_session=True,
    )
    assert process.stdin is not None
    try:
        process.stdin.write(order.as_line())
        while waiting:
            span = waiting.pop()
            place = {"partition": span.partition, "begin": span.begin, "end": span.end}
            process.stdin.write(json.dumps(place).encode() + b"\n")
            rows += await _built(process, span, progress)
    finally:
        process.stdin.close()
        if process.returncode is None:
            process.kill()
        await process.wait()
    return rows


async def _built(process: asyncio.subprocess.Process, span: Span, progress: Progress) -> int:
    assert process.stdout is not None
    while line := await process.stdout.readline():
        told = json.loads(line)
        if "refused" in told:
            raise RebuildStopped(told["refused"])
        if "built" in told:
            progress(span.partition, span.end, told["rows"])
            return int(told["rows"])
        progress(told["partition"], told["offset"], told["rows"])
    raise RebuildRefused(
        f"The process that built partition {span.partition} ended before it was done (exit code "
        f"{await process.wait()}); run this again, it goes on where it can."
    )
