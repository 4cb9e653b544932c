"""Which limits an execution counts towards, from its first event alone.

`max_concurrency` of a definition holds for each executor process: executions of a pipeline are
spread over all partitions, and processes don't ask one another. `concurrency_key` holds exactly and
everywhere: executions of one key are in one partition, which has one owner, and a parked one keeps
its place. So a limit for the whole fleet is a key with `max_concurrency_per_key`.
"""

from collections.abc import Callable, Iterable

from executor_service.admission.controller import AdmissionController, Limit
from executor_service.errors import CommandNotApplicable
from steplog_contracts.events import ExecutionStarted
from steplog_contracts.refusal_codes import RefusalCode

DEFAULT_PER_KEY = 1


def limits_of(started: ExecutionStarted, partition: int) -> tuple[Limit, ...]:
    """Return the limits of an execution."""
    definition = started.definition or {}
    limits = []
    of_pipeline = definition.get("max_concurrency")
    if isinstance(of_pipeline, int):
        limits.append(Limit(f"pipeline {started.pipeline_id}", of_pipeline))
    if started.concurrency_key is not None:
        of_key = definition.get("max_concurrency_per_key")
        at_most = of_key if isinstance(of_key, int) else DEFAULT_PER_KEY
        limits.append(Limit(key_name(started.concurrency_key, partition), at_most))
    return tuple(limits)


def key_name(concurrency_key: str, partition: int) -> str:
    """Return the name of a key's limit."""
    return f"key {partition} {concurrency_key}"


def refuse_key_elsewhere(
    concurrency_key: str | None, partition: int, partition_of: Callable[[str], int]
) -> None:
    """Keep all executions of a key in one partition.

    Raises:
        CommandNotApplicable: `key_elsewhere`.
    """
    if concurrency_key is not None and partition_of(concurrency_key) != partition:
        raise CommandNotApplicable(
            RefusalCode.KEY_ELSEWHERE,
            f"The execution's id is not in the partition of its concurrency key "
            f"{concurrency_key!r}; let the client choose the id.",
        )


class LimitsHeld:
    """The limits that executions of one partition count towards."""

    def __init__(self, admission: AdmissionController, partition: int) -> None:
        self._admission = admission
        self._partition = partition
        self._held: dict[str, tuple[str, ...]] = {}  # Execution -> names of its limits.

    def count(self, started: ExecutionStarted, execution_id: str) -> None:
        """Count an execution from now on; doing so again changes nothing."""
        limits = limits_of(started, self._partition)
        for limit in limits:
            self._admission.count(limit, execution_id)
        if limits:
            self._held[execution_id] = tuple(limit.name for limit in limits)

    def count_parked(self, execution_id: str, concurrency_key: str) -> None:
        """Count a parked execution: it keeps the place of its key and no other."""
        name = key_name(concurrency_key, self._partition)
        self._admission.count(Limit(name, DEFAULT_PER_KEY), execution_id)
        self._held[execution_id] = (name,)

    def park(self, execution_id: str) -> None:
        """An execution was set down."""
        names = self._held.get(execution_id, ())
        self._let_go(execution_id, [name for name in names if not name.startswith("key ")])

    def end(self, execution_id: str) -> None:
        """An execution has ended, or never began."""
        self._let_go(execution_id, self._held.pop(execution_id, ()))

    def drop_all(self) -> None:
        """The partition is no longer here."""
        for execution_id in list(self._held):
            self.end(execution_id)

    def _let_go(self, execution_id: str, names: Iterable[str]) -> None:
        for name in names:
            self._admission.release(name, execution_id)
