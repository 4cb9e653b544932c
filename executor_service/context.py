"""What every partition of one executor process shares: definitions, slots, clock, payloads."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from executor_service.admission.controller import MAX_WAITING_COMMANDS, AdmissionController
from executor_service.admission.slots import ExecutionSlots
from executor_service.dedupe.seen_ids import DEFAULT_MAX_IDS, DEFAULT_WINDOW
from executor_service.definitions.catalogue import DefinitionCatalogue
from executor_service.metrics.execution_counts import ExecutionCounts
from executor_service.payloads.client import Payloads
from executor_service.ports.command_source import ReceivedRecord
from executor_service.steps.service_registry import ServiceRegistry
from executor_service.writer_identity import WriterIdentity
from steplog_contracts.envelope import Record

PARK_OVER = timedelta(seconds=60)


@dataclass(slots=True, kw_only=True)
class ExecutorContext(WriterIdentity):
    """Handed to each partition's owner by the composition root."""

    catalogue: DefinitionCatalogue
    slots: ExecutionSlots
    partition_of: Callable[[str], int]  # Execution id -> partition, as Kafka's clients compute it.
    set_aside: Callable[[ReceivedRecord, str], Awaitable[None]]
    # Appends commands that stand at these offsets again, where one process may leave some.
    put_back: Callable[[Sequence[int]], Awaitable[None]] | None = None
    # Appends a command to the topic of commands, keyed by its execution; returns once it is there.
    send: Callable[[Record], Awaitable[None]] | None = None
    services: ServiceRegistry = field(default_factory=ServiceRegistry)
    payloads: Payloads = field(default_factory=Payloads)
    max_waiting_commands: int = MAX_WAITING_COMMANDS  # Of each partition.
    admission: AdmissionController = field(init=False)
    counts: ExecutionCounts | None = None  # Where what happens is counted, if it is.
    # An execution whose next time is further off than this is set down until then.
    park_over: timedelta = PARK_OVER
    dedupe_window: timedelta = DEFAULT_WINDOW
    dedupe_max_ids: int = DEFAULT_MAX_IDS  # Of each partition.

    def __post_init__(self) -> None:
        self.admission = AdmissionController(self.slots)
