"""What an embedded steplog is told."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ValidationError

from executor_service import ServiceRegistry
from executor_service.adapters.embedded.event_log import PARTITIONS
from executor_service.adapters.embedded.file import EmbeddedFile
from executor_service.adapters.fsspec_store import FsspecStore
from executor_service.adapters.system_clock import SystemClock
from executor_service.definitions.asked_modules import AskedModules
from executor_service.definitions.catalogue import DefinitionCatalogue
from executor_service.definitions.step_loader import Allowlist
from executor_service.payloads.client import Payloads
from executor_service.ports.runtime import Clock
from executor_service.settings import ExecutorSettings
from executor_service.steps.service_loader import load_services
from steplog.errors import BadInput
from steplog_contracts.topics import Topics, topics_for
from steplog_contracts.validation_message import plain_message

# Beyond this many the rest waits in the log: more at once would only share one processor.
DEFAULT_IN_FLIGHT = 256
DEFAULT_GRACE_S = 10.0
COMMIT_INTERVAL_S = 1.0


@dataclass(frozen=True, slots=True)
class EmbeddedSettings:
    """One file, and what may run in it.

    `step_modules` is the allowlist of what definitions may import: exact names, or `package.*`.
    None allows every installed module but the standard library, for code that runs its own
    definitions in its own process; a server is always given a list.
    """

    path: Path
    step_modules: Sequence[str] | None = None
    pipelines_dir: Path | None = None
    services: ServiceRegistry | None = None
    max_executions_in_flight: int = DEFAULT_IN_FLIGHT
    shutdown_grace_s: float = DEFAULT_GRACE_S
    # In place of `step_modules`: the modules of what is asked for here; all else is left as it is.
    asked: AskedModules | None = None
    payload_store: str | None = None  # Of values too large for an event; a folder beside the file.
    # For tests: another clock, file or way to compile definitions.
    clock: Clock = field(default_factory=SystemClock)
    open_file: Callable[[Path], EmbeddedFile] = EmbeddedFile
    catalogue: Callable[[Allowlist, Path | None], DefinitionCatalogue] = DefinitionCatalogue

    @property
    def payloads(self) -> Payloads:
        """Return the store of values too large for an event."""
        return Payloads(FsspecStore(self.payload_url))

    @property
    def payload_url(self) -> str:
        """Return where values too large for an event go."""
        return self.payload_store or f"{self.path.absolute()}-payloads"

    @property
    def topics(self) -> Topics:
        """Return the topics by the names they have in answers and rows."""
        return topics_for(partitions=PARTITIONS)


def settings_of_environment(path: Path) -> EmbeddedSettings:
    """Return what the executor's own variables say, for a file.

    Raises:
        BadInput: one of them can't be used.
    """
    try:
        told = ExecutorSettings()
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = ".".join(str(part) for part in first["loc"]).upper()
        raise BadInput(f"The setting STEPLOG_{name} is wrong: {plain_message(first)}.") from error
    limit_is_set = "max_executions_in_flight" in told.model_fields_set
    return EmbeddedSettings(
        path,
        told.allowed_modules,
        Path(told.pipelines_dir) if told.pipelines_dir else None,
        load_services(told.services),
        told.max_executions_in_flight if limit_is_set else DEFAULT_IN_FLIGHT,
        told.shutdown_grace_s,
        payload_store=told.payload_store,
    )
