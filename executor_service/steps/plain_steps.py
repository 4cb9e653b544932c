"""Steps that are part of the language: they run no code of users."""

from datetime import UTC, datetime
from typing import Any, Final

from executor_service.engine.plan import WAIT
from executor_service.engine.waits import due_time
from executor_service.errors import FailedByFlow
from executor_service.steps.http_request import HttpRequest
from executor_service.steps.kafka_record import KafkaRecord
from executor_service.steps.step import Step


class SetValues(Step):
    """Lays values over the data: templates, resolved."""

    async def run(self, data: Any) -> Any:  # noqa: ARG002 - its values are in its settings
        """Return the values."""
        return self.config["values"]


class Nothing(Step):
    """Does nothing: a place where branches meet or part."""

    async def run(self, data: Any) -> Any:
        """Return nothing."""


class Fail(Step):
    """Fails, with an error that the definition names."""

    async def run(self, data: Any) -> Any:  # noqa: ARG002 - what it says is in its settings
        """Raise an error of the class that is named."""
        # No class of that name exists: it is made, for `catch` to know it by.
        named = type(self.config["error"], (FailedByFlow,), {"__module__": "builtins"})
        raise named(str(self.config.get("message") or f"Step '{self.name}' fails the flow."))


class Wait(Step):
    """Has waited when it runs: its branch was scheduled for the time that its settings name."""

    async def run(self, data: Any) -> Any:  # noqa: ARG002 - when it ends is in its settings
        """Say what is wrong with the settings, if they named no time."""
        due_time(self.config, datetime.now(UTC))


BUILT_IN: Final[dict[str, type[Step]]] = {
    "set": SetValues,
    "noop": Nothing,
    "fail": Fail,
    WAIT: Wait,
    "http": HttpRequest,
    "kafka": KafkaRecord,
}
