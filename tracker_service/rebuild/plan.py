"""A rebuild's beginning: look at everything before anything is made, then make it or take it up."""

import shutil
from collections.abc import Collection, Mapping
from dataclasses import asdict
from importlib.metadata import version
from types import MappingProxyType

from tracker_service.log.events_log import LogBounds
from tracker_service.rebuild.errors import RebuildRefused
from tracker_service.rebuild.log_reader import Span
from tracker_service.rebuild.request import RebuildRequest
from tracker_service.store.migrations import PROJECTION_VERSION, migrations
from tracker_service.store.postgres.pool import Connection
from tracker_service.store.postgres.shadow import ledger, preflight, schema
from tracker_service.store.postgres.shadow.ledger import Target
from tracker_service.store.write_port import Position

_GIB = 1024**3


def targets_for(
    topic: str,
    bounds: LogBounds,
    positions: Mapping[int, Position],
    begins: Mapping[int, int] | None = None,
    lost: Collection[int] = (),
) -> dict[int, Target]:
    """Return what is to be read: all the live rows were made from, or all there is if they are new.

    With `begins`, only what lies from there on. Of partitions that `lost` records all there is.

    Raises:
        RebuildRefused: the log does not hold it (any more).
    """
    new = all(position.next_offset == 0 for position in positions.values())
    targets = {}
    for partition, end in sorted(bounds.ends.items()):
        position = positions.get(partition, Position())
        log_begin = bounds.begins[partition]
        begin = log_begin if begins is None else begins[partition]
        if begin == log_begin > 0:
            raise RebuildRefused(
                f"The log of partition {partition} of {topic} begins at offset {begin}: records 0 "
                f"to {begin - 1} were removed, and what they say can't be told again. Put them "
                "back from an archive with `steplog import`, or rebuild only what began later with "
                "`--since`. Nothing has been changed."
            )
        if position.next_offset > end and partition not in lost:
            raise RebuildRefused(
                f"The rows are made from {position.next_offset} records of partition {partition} "
                f"of {topic}, but the log ends at {end}: it lost records. Run this again without "
                "`--since` and `--until`. Nothing has been changed."
            )
        goal = end if new or partition in lost else position.next_offset
        targets[partition] = Target(min(begin, goal), goal, position.generation)
    return targets


async def check_room(
    connection: Connection, live: str, targets: Mapping[int, Target], order: RebuildRequest
) -> None:
    """Raise `RebuildRefused`, with numbers, if the new tables would not fit."""
    events = sum(target.end - target.begin for target in targets.values())
    needed = await preflight.estimated_bytes(connection, live, events)
    folder = await preflight.data_folder(connection)
    room = order.max_disk_bytes
    if room is None and folder is not None:
        room = _free_bytes(folder)
    if room is not None and needed > room:
        raise RebuildRefused(
            f"The new tables need about {needed / _GIB:.3f} GiB beside the live ones and only "
            f"{room / _GIB:.3f} GiB may be used; make room, or drop tables that earlier rebuilds "
            "replaced with `steplog rebuild --drop-old`. Nothing has been changed."
        )


def _free_bytes(folder: str) -> int | None:
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return None  # In a container, or not for our eyes.


def fingerprint(order: RebuildRequest, lost: Mapping[int, str] = MappingProxyType({})) -> str:
    """Return what must be alike for an interrupted rebuild to be taken up."""
    told = asdict(order)
    alike = {name: told[name] for name in ("topic", "fold", "lenient", "since", "until")}
    schema_version = migrations("postgres")[-1].version
    return (
        f"steplog {version('steplog')}, schema {schema_version}, "
        f"projection {PROJECTION_VERSION}, {alike}" + (f", lost {dict(lost)}" if lost else "")
    )


async def open_shadow(
    connection: Connection,
    order: RebuildRequest,
    wanted: Mapping[int, Target],
    lost: Mapping[int, str] = MappingProxyType({}),
) -> bool:
    """Take up what an interrupted rebuild left, else begin anew; return whether it was taken up."""
    mark = fingerprint(order, lost)
    found = await ledger.fingerprint(connection, order.schema)
    if found == mark and _same_rows(await ledger.targets(connection), wanted):
        return True
    if found is None and await schema.exists(connection, order.schema):
        raise RebuildRefused(
            f"There is a schema {order.schema} that no rebuild made; name another with --into, or "
            "drop it."
        )
    async with connection.transaction():
        await schema.create(connection, order.schema, mark)
        await ledger.aim(connection, wanted)
    return False


def spans_of(topic: str, targets: Mapping[int, Target]) -> dict[int, Span]:
    """Return what is still to be copied."""
    return {
        partition: Span(topic, partition, target.begin, target.end)
        for partition, target in targets.items()
        if not target.built
    }


def _same_rows(stored: Mapping[int, Target], wanted: Mapping[int, Target]) -> bool:
    # Letters were decided on, or the log is another one, since the work was broken off.
    return stored.keys() == wanted.keys() and all(
        target.generation == wanted[partition].generation and target.end <= wanted[partition].end
        for partition, target in stored.items()
    )
