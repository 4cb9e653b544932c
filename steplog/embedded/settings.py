"""What an embedded steplog is told."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from contracts.topics import Topics, topics_for
from executor_service import ServiceRegistry
from executor_service.adapters.embedded_event_log import PARTITIONS

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

    @property
    def topics(self) -> Topics:
        """Return the topics by the names they have in answers and rows."""
        return topics_for(partitions=PARTITIONS)
