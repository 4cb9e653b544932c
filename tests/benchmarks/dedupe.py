"""What knowing repeats costs: time for a command, memory for an id, a takeover with a full memory.

python -m tests.benchmarks.dedupe [--ids N]
"""

import argparse
import asyncio
import time
import tracemalloc

from executor_service.dedupe.seen_ids import SeenIds, execution_digest
from executor_service.dedupe.seen_ids_store import SeenIdsStore
from tests.benchmarks.figures import publish_figures
from tests.executor.support.fakes import FakeEventLog, ManualClock, SharedLog
from tests.executor.support.partition_harness import Owning

SAMPLE = 100_000
SAVE_EVERY_IDS = 4_096


def _command_us(seen: SeenIds) -> float:
    """Return the time for one command that is new: digest, look-up, put."""
    ids = [f"fresh-{number}" for number in range(SAMPLE)]
    began = time.process_time()
    for execution_id in ids:
        digest = execution_digest(execution_id)
        if seen.search_offset(digest) is None:
            seen.put(digest, 0)
    return (time.process_time() - began) / SAMPLE * 1e6


async def _saved(seen: SeenIds, log: FakeEventLog, count: int) -> None:
    saving = SeenIdsStore(log, 0, seen, Owning().context)
    for number in range(count):
        seen.put(execution_digest(f"e-{number}"), number * 10)
        if len(seen.unsaved) >= SAVE_EVERY_IDS:
            await saving.save()
    await saving.save()


async def measure(ids: int) -> dict[str, float]:
    """Fill a partition's memory, save it as it fills, load it as a new owner does."""
    shared, clock = SharedLog(), ManualClock()
    log = FakeEventLog(shared)
    tracemalloc.start()
    seen = SeenIds(clock.now(), max_ids=ids)
    await _saved(seen, log, ids - ids // 100)
    records = shared.partitions[0]
    saved_bytes = sum(len(record.value or b"") for record in records)
    held_before = tracemalloc.get_traced_memory()[0]
    loaded = SeenIds(clock.now(), max_ids=ids)
    await SeenIdsStore(log, 0, loaded, Owning().context).load(0)
    held_bytes = tracemalloc.get_traced_memory()[0] - held_before
    tracemalloc.stop()
    began = time.process_time()
    loaded = SeenIds(clock.now(), max_ids=ids)
    await SeenIdsStore(log, 0, loaded, Owning().context).load(0)
    load_s = time.process_time() - began
    return {
        "ids": loaded.count,
        "command_us": _command_us(loaded),
        "memory_bytes_per_id": held_bytes / loaded.count,
        "saved_bytes_per_id": saved_bytes / loaded.count,
        "load_s": load_s,
    }


def main() -> None:
    """Measure and publish."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--ids", type=int, default=1_000_000)
    publish_figures("dedupe", asyncio.run(measure(parser.parse_args().ids)))


if __name__ == "__main__":
    main()
