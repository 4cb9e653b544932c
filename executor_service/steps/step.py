"""The class that users' steps derive from, and what a step knows about its run."""

import logging
from collections.abc import Callable
from datetime import datetime
from functools import cached_property
from typing import Any

from executor_service.engine.references import Results
from executor_service.engine.values import ABSENT, copy_json
from executor_service.steps.service_registry import ServiceRegistry
from steplog_contracts.payload import JsonObject, JsonValue

_log = logging.getLogger(__name__)


class StepContext:
    """Which execution, visit and attempt this is."""

    __slots__ = (
        "_on_heartbeat", "attempt", "execution_id", "iteration", "last_heartbeat", "step_id"
    )  # fmt: skip

    def __init__(
        self,
        execution_id: str = "",
        step_id: str = "",
        iteration: int = 1,
        attempt: int = 1,
        on_heartbeat: "Callable[[StepContext, JsonValue], None] | None" = None,
        last_heartbeat: JsonValue = None,
    ) -> None:
        self.execution_id = execution_id
        self.step_id = step_id
        self.iteration = iteration  # Counts visits to the step in this execution, from 1.
        self.attempt = attempt  # Counts tries of this visit, from 1.
        # The progress on record of an earlier attempt at this visit; None where there is none.
        self.last_heartbeat = last_heartbeat
        self._on_heartbeat = on_heartbeat

    @property
    def idempotency_key(self) -> str:
        """The same for every attempt of a visit: hand it to outside systems that deduplicate."""
        return f"{self.execution_id}:{self.step_id}:{self.iteration}"

    def heartbeat(self, progress: JsonValue = None) -> None:
        """Say that a long step is alive, with `progress`, any small JSON, for who watches.

        It keeps `heartbeat_timeout_seconds` off. The newest progress is recorded at most once a
        second, and is the `last_heartbeat` of the next attempt. May be called from any thread.

        Raises:
            ResultNotJson: `progress` is no JSON, or more than 16 KiB of it.
            AttemptOver: this attempt took too long or was stopped; end it.
        """
        if self._on_heartbeat is not None:
            self._on_heartbeat(self, progress)


class Step:
    """A unit of work. Override `run`; `async def` and plain `def` both work.

    An `async def run` runs on the event loop, a plain `def run` in a worker thread. `data` is the
    step's own copy of the flowing data; the result must be JSON (pydantic models, dataclasses,
    datetimes, UUIDs, decimals and enums are converted). A dict is laid over the flowing data, and
    every result is readable under the step's id, in templates, conditions and `data[step_id]`.

    A step may run more than once if its process dies while it runs; it is never run again once its
    completion is recorded. Define `fallback(self, data, error)` to answer for a failed run (needs
    `error_handling.enable_fallback`).
    """

    def __init__(self, name: str, config: JsonObject | None = None) -> None:
        self.name = name  # The step's id.
        self.config: JsonObject = {} if config is None else config
        self.services: ServiceRegistry | None = None
        self.context = StepContext(step_id=name)

    @cached_property
    def logger(self) -> logging.Logger:
        """The step's own logger, made when it is first asked for: most steps never do."""
        return logging.getLogger(f"steplog.step.{self.name}")

    def run(self, data: Any) -> Any:
        """Do the work and return its result, or a coroutine of it."""
        raise NotImplementedError(f"{type(self).__name__} does not define run().")

    def get_db(self) -> Any:
        """Return the service registered as `database`, or None."""
        return self.services.get("database") if self.services else None

    def get_http(self) -> Any:
        """Return the service registered as `http`, or None."""
        return self.services.get("http") if self.services else None


class StepData(dict[str, Any]):
    """What a step is given: its copy of the flowing data, with earlier results under step ids.

    Results are kept apart from the data: they answer `data["load"]`, `data.get("load")` and
    `"load" in data`, but are neither listed nor passed on when a step returns all it was given.
    """

    __slots__ = ("_results",)
    _results: Results

    def __missing__(self, key: str) -> Any:
        found = self._results.result_of(key)
        if found is ABSENT:
            raise KeyError(key)
        return copy_json(found)

    def __contains__(self, key: object) -> bool:
        if dict.__contains__(self, key):
            return True
        return isinstance(key, str) and self._results.result_of(key) is not ABSENT

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value or the step's result, or the default."""
        try:
            return self[key]
        except KeyError:
            return default


class ExecutionContext:
    """What a caller of `Pipeline.run` may say about the execution."""

    def __init__(
        self,
        execution_id: str,
        pipeline_id: str | None = None,
        user_id: str | None = None,
        thread_id: str | None = None,
        metadata: JsonObject | None = None,
        started_at: datetime | None = None,
    ) -> None:
        self.execution_id = execution_id
        self.pipeline_id = pipeline_id
        self.user_id = user_id
        self.thread_id = thread_id
        self.metadata: JsonObject = {} if metadata is None else metadata
        self.started_at = started_at
