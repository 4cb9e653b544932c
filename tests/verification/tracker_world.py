"""Random logs, and a tracker whose database breaks off between any two statements."""

import sqlite3
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from steplog_contracts import events
from steplog_contracts.envelope import Record
from tests.conformance.stores import TOPIC, ReadModelUnderTest, parsed
from tests.tracker.histories import AN_ERROR, BEGINNING, History, Log, LogEntry, claim
from tracker_service.projector.projector import HoleInLog, Projector
from tracker_service.projector.store_retry import Pacing, StoppedWaiting

PARTITIONS = 2
EXECUTIONS = 3
STEPS = "abc"


@dataclass
class Writer:
    """Writes plausible histories of a few executions into one partition, with accidents."""

    partition: int
    log: Log = field(default_factory=Log)
    epoch: int = 0
    former_epoch: int | None = None
    histories: dict[str, History] = field(default_factory=dict)
    visits: dict[tuple[str, str], int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.log.append(claim(self.partition))

    def write(self, move: str, execution: int, step: int, twist: int) -> None:
        """Append what the move means for the execution as it stands."""
        if move == "claim":
            self.former_epoch, self.epoch = self.epoch, len(self.log.entries)
            self.log.append(claim(self.partition))
            return
        name = f"e-{self.partition}-{execution}"
        history = self.histories.setdefault(name, History(name))
        if move == "stale":
            self._append_stale(history)
        elif move == "repeat" and history.seq:
            self._append(history.at(history.seq, events.StepStarted(step_id="a")), history)
        else:
            record = history_record(history, self._event(history, move, STEPS[step], twist))
            self._append(spoiled(record) if move == "poison" else record, history)
            history.seq += move == "hole"

    def _event(self, history: History, move: str, step_id: str, twist: int) -> events.Event:
        if history.seq == 0:
            return events.ExecutionStarted(pipeline_id="p", pipeline_name="P", total_steps=twist)
        place = {"step_id": step_id, "iteration": twist + 1}
        made = self._of_language(move, place, STEPS.index(step_id), twist) | {
            "start": events.StepStarted(**place, input={"n": twist}),
            "schedule": events.StepScheduled(**place, due_at=BEGINNING),
            "retry": events.StepAttemptFailed(**place, error=AN_ERROR, retry_at=BEGINNING),
            "complete": events.StepCompleted(**place, output={"n": history.seq}),
            "fail": events.StepFailed(**place, error=AN_ERROR, continued=True),
            "cancel": events.StepCancelled(**place),
            "skip": events.StepSkipped(**place),
            "wait": events.StepWaiting(**place, interaction_id=f"{history.execution_id}-{step_id}"),
            "resume": events.StepResumed(
                **place, interaction_id=f"{history.execution_id}-{step_id}"
            ),
            "end": events.ExecutionCompleted(output={"done": twist}),
            "break": events.ExecutionFailed(error=AN_ERROR),
        }
        return made.get(move, events.StepStarted(**place))

    def _of_language(
        self, move: str, place: dict[str, Any], index: int, twist: int
    ) -> dict[str, events.Event]:
        """Return what the flow language brought: maps and their items, children, undoing."""
        item = {"step_id": f"m[{index}]", "item_index": index}
        asked = f"{self.partition}-{index}-{len(self.log.entries)}"
        failing = events.StepCompensationFailed(**place, error=AN_ERROR)
        return {
            "map": events.StepStarted(step_id="m", step_type="map", item_count=len(STEPS)),
            "map_end": events.StepCompleted(step_id="m", output=[twist]),
            "item": events.StepStarted(**item, input={"item": twist}),
            "item_end": events.StepCompleted(**item, output=twist),
            "item_break": events.StepFailed(**item, error=AN_ERROR),
            "item_wait": events.StepWaiting(**item, interaction_id=asked),
            "beat": events.StepProgressed(**place, progress={"at": twist}),
            "child": events.StepChildStarted(**place, child_execution_id=f"child-{asked}"),
            "turn": events.ExecutionDeadlinePassed(to_step="a", passed_at=BEGINNING),
            "undo": events.ExecutionCompensating(error=AN_ERROR),
            "undo_step": events.StepCompensationStarted(**place),
            "undo_end": events.StepCompensated(**place) if twist else failing,
        }

    def _append(self, record: Record, _history: History) -> None:
        headers = [*record.headers, ("ce_writerepoch", b"%d" % self.epoch)]
        self.log.append(record._replace(headers=headers))

    def _append_stale(self, history: History) -> None:
        if self.former_epoch is not None:
            record = history.at(history.seq + 1, events.ExecutionFailed(error=AN_ERROR))
            headers = [*record.headers, ("ce_writerepoch", b"%d" % self.former_epoch)]
            self.log.append(record._replace(headers=headers))


def history_record(history: History, event: events.Event) -> Record:
    """The history's next record."""
    return history.record(event)


def spoiled(record: Record) -> Record:
    """The record with a value nobody can read."""
    return record._replace(value=b"{")


# The commonest twice, so that histories get long.
_COMMON = ("start", "complete", "start", "complete", "fail", "retry", "cancel", "skip", "schedule")
_RARE = ("wait", "resume", "end", "break", "claim", "stale", "repeat", "poison", "hole")
_MAPS = ("map", "item", "item", "item_end", "item_break", "item_wait", "map_end")
_LANGUAGE = ("beat", "child", "turn", "undo", "undo_step", "undo_end")
MOVES = st.sampled_from((*_COMMON, *_COMMON, *_RARE, *_MAPS, *_LANGUAGE))
LOGS = st.lists(
    st.tuples(
        st.integers(0, PARTITIONS - 1),
        MOVES,
        st.integers(0, EXECUTIONS - 1),
        st.integers(0, len(STEPS) - 1),
        st.integers(0, 1),
    ),
    max_size=60,
)
# Partition, worker, how far back and how far on to deliver, statement to break off at (0: none).
DELIVERIES = st.lists(
    st.tuples(
        st.integers(0, PARTITIONS - 1),
        st.integers(0, 1),
        st.integers(-3, 3),
        st.integers(1, 25),
        st.integers(0, 9),
    ),
    max_size=25,
)


def written(moves: list[tuple[int, str, int, int, int]]) -> list[list[LogEntry]]:
    """Return the partitions that the moves make."""
    writers = [Writer(partition) for partition in range(PARTITIONS)]
    for partition, move, execution, step, twist in moves:
        writers[partition].write(move, execution, step, twist)
    return [writer.log.entries for writer in writers]


class Breaking:
    """A connection that breaks off before its n-th statement, as when the process dies there."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.breaks_at = 0
        self._count = 0

    def execute(self, statement: str, *arguments: Any) -> Any:
        """Run a statement unless it is the one to break off at."""
        if statement != "ROLLBACK":
            self._tick()
        return self._connection.execute(statement, *arguments)

    def executemany(self, statement: str, rows: Any) -> Any:
        """Run a statement for rows unless it is the one to break off at."""
        self._tick()
        return self._connection.executemany(statement, rows)

    def close(self) -> None:
        """Close the real connection."""
        self._connection.close()

    def arm(self, breaks_at: int) -> None:
        """Count anew and break off at a statement; 0 for never."""
        self.breaks_at, self._count = breaks_at, 0

    def _tick(self) -> None:
        self._count += 1
        if self._count == self.breaks_at:
            raise sqlite3.OperationalError("broken off by the test")


class Tracker:
    """Workers over one read model whose connection can break off."""

    def __init__(self, rows: ReadModelUnderTest, connection: Breaking) -> None:
        self.rows = rows
        self.connection = connection
        self.workers = [self.worker(), self.worker()]

    def worker(self) -> Projector:
        """A worker that gives up at the first failure, as a killed one does."""
        return Projector(self.rows.store, TOPIC, Pacing(lambda: True))

    async def deliver(self, number: int, partition: int, run: list[LogEntry], crash: int) -> None:
        """Hand a run to a worker; one that dies on it is replaced by one that knows nothing."""
        self.connection.arm(crash)
        try:
            await self.workers[number].apply(partition, run)
        except (StoppedWaiting, HoleInLog):
            self.workers[number] = self.worker()
        finally:
            self.connection.arm(0)

    async def position(self, partition: int) -> int:
        """Return how far a partition is applied."""
        return (await self.rows.store.positions(TOPIC, [partition]))[partition].next_offset


async def actual_rows(rows: ReadModelUnderTest, names: set[str]) -> dict[str, dict[str, Any]]:
    """Return the rows in the oracle's shape."""
    found = {}
    for name in names:
        row = await rows.model.execution(name)
        if row is not None:
            steps = [pick(step, STEP_KEYS) for step in await rows.steps(name)]
            page = await rows.model.items.page(name, "m", 1, limit=len(STEPS))
            items = [pick(parsed(item), STEP_KEYS) for item in page]
            found[name] = {**pick(parsed(row), EXECUTION_KEYS), "steps": steps, "items": items}
    return found


STEP_KEYS = ("step_id", "iteration", "status", "attempt", "output_data")
EXECUTION_KEYS = (
    "status",
    "completed_steps",
    "failed_steps",
    "total_steps",
    "seq",
    "output_data",
    "incomplete",
)


def pick(row: dict[str, Any], keys: tuple[str, ...]) -> dict[str, Any]:
    """Return some of a row's values."""
    return {key: row[key] for key in keys}


def rows_file(folder: Path) -> Path:
    """Where a run keeps its rows."""
    folder.mkdir(exist_ok=True)
    return folder / "rows.db"
