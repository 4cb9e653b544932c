"""Snapshots of executions that wait for a person or a distant moment, on the parked topic.

A snapshot is the execution's recorded facts so far, so reading it needs the same fold as the log
and nothing else. Its record is keyed by the execution; a record without a value ends it. Snapshots
obey the same claims as events: `writerepoch` is the offset of the newest claim in the partition.
"""

from datetime import datetime

from pydantic import BaseModel, ConfigDict, PositiveInt

from steplog_contracts.events import EVENT_CLASS_BY_TYPE, Event
from steplog_contracts.payload import JsonObject, encode_payload
from steplog_contracts.upcasting import bring_forward

PARKED_TYPE = "steplog.execution.parked.v1"
UNPARKED_TYPE = "steplog.execution.unparked.v1"
# When the execution wants to be woken, ISO-8601; absent while it only waits for a person.
WAKE_AT_HEADER = "ce_wakeat"
# The key whose place the execution keeps while it is parked.
CONCURRENCY_KEY_HEADER = "ce_concurrencykey"


class ParkedFact(BaseModel):
    """One recorded event: its wire type, its time and its payload."""

    model_config = ConfigDict(frozen=True, extra="ignore", ser_json_inf_nan="constants")

    type: str
    time: datetime
    data: JsonObject

    @classmethod
    def of(cls, event: Event, time: datetime) -> "ParkedFact":
        """Return the fact of an event."""
        return cls(type=event.event_type, time=time, data=event.model_dump(mode="json"))

    @property
    def event(self) -> Event:
        """Return the event as the log's readers see it."""
        record_type, data = bring_forward(self.type, self.data)
        return EVENT_CLASS_BY_TYPE[record_type].model_validate(data)


class ParkedExecution(BaseModel):
    """Everything needed to go on with a parked execution."""

    model_config = ConfigDict(frozen=True, extra="ignore", ser_json_inf_nan="constants")

    execution_id: str
    command_id: str | None = None
    seq: PositiveInt  # Of the last fact.
    facts: tuple[ParkedFact, ...]

    def to_json(self) -> bytes:
        """Return the record's value."""
        return encode_payload(self)
