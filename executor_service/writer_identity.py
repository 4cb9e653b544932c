"""Who writes: what every record of one executor process says of its writer, and when."""

import uuid
from dataclasses import dataclass

from executor_service.ports.runtime import Clock


@dataclass(slots=True, kw_only=True)
class WriterIdentity:
    """One process that writes to the logs."""

    instance: str
    clock: Clock

    @property
    def source(self) -> str:
        """Return the CloudEvents source of everything this process writes."""
        return f"/steplog/executor/{self.instance}"

    def new_id(self) -> str:
        """Return a random id."""
        return str(uuid.uuid4())
