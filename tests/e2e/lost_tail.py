"""What a power cut of every replica does to a partition: its newest records are gone from the disk.

For a broker that is stopped. Kafka acknowledges from memory, so this is how an acknowledged record
is lost: the segments end earlier, and the broker starts with what it finds. With several brokers,
cut each of them at the same offset while all are stopped.
"""

from pathlib import Path

# Of a record batch: base offset (8 bytes), length of what follows (4), and further on the number of
# its last record, counted from the base.
_BATCH_AT = 12
_LAST_DELTA_AT = slice(23, 27)
_MADE_AGAIN = (".index", ".timeindex", ".txnindex")
_CLEAN_STOP = ".kafka_cleanshutdown"
_CHECKPOINTS = ("recovery-point-offset-checkpoint", "replication-offset-checkpoint")


def cut_tail(log_dir: Path, topic: str, partition: int, offset: int) -> int:
    """Take away a partition's records from an offset on; return where the partition ends then.

    Only whole batches go, so that it may end a little before the offset. `log_dir` is the broker's
    `log.dirs`.
    """
    folder = log_dir / f"{topic}-{partition}"
    segments = sorted(folder.glob("*.log"))
    for later in [segment for segment in segments[1:] if int(segment.stem) >= offset]:
        _remove(later)
        segments.remove(later)
    end = _cut_segment(segments[-1], offset)
    for made_again in _MADE_AGAIN:
        segments[-1].with_suffix(made_again).unlink(missing_ok=True)
    for snapshot in folder.glob("*.snapshot"):
        if int(snapshot.stem) > end:
            snapshot.unlink()
    (log_dir / _CLEAN_STOP).unlink(missing_ok=True)
    for name in _CHECKPOINTS:
        _lower(log_dir / name, f"{topic} {partition}", end)
    return end


def end_on_disk(log_dir: Path, topic: str, partition: int) -> int:
    """Return where a partition ends in the files of a broker that is stopped."""
    newest = max((log_dir / f"{topic}-{partition}").glob("*.log"))
    return max((last + 1 for _, last in _batches(newest.read_bytes())), default=int(newest.stem))


def _cut_segment(segment: Path, offset: int) -> int:
    data = segment.read_bytes()
    end, size = int(segment.stem), 0
    for after, last in _batches(data):
        if last >= offset:
            break
        end, size = last + 1, after
    segment.write_bytes(data[:size])
    return end


def _batches(data: bytes) -> list[tuple[int, int]]:
    """Return of each batch where the next one begins and the offset of its last record."""
    found, at = [], 0
    while at + _LAST_DELTA_AT.stop <= len(data):
        batch = data[at : at + _LAST_DELTA_AT.stop]
        base, length = int.from_bytes(batch[:8], "big"), int.from_bytes(batch[8:12], "big")
        if length == 0:
            break  # Room made ahead.
        at += _BATCH_AT + length
        found.append((at, base + int.from_bytes(batch[_LAST_DELTA_AT], "big")))
    return found


def _remove(segment: Path) -> None:
    for suffix in (".log", *_MADE_AGAIN):
        segment.with_suffix(suffix).unlink(missing_ok=True)


def _lower(checkpoint: Path, place: str, end: int) -> None:
    """Lower a partition's entry: `TOPIC PARTITION OFFSET` lines behind a version and a count."""
    if not checkpoint.exists():
        return
    lines = checkpoint.read_text().splitlines()
    for number, line in enumerate(lines):
        known, _, offset = line.rpartition(" ")
        if known == place:
            lines[number] = f"{place} {min(int(offset), end)}"
            checkpoint.write_text("\n".join(lines) + "\n")
