"""What every event is made of: its base, that of a step's events, and what went wrong."""

from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveInt

from steplog_contracts.data_ref import References

# What a column of the read model holds.
Index = Annotated[int, Field(ge=0, le=2**31 - 1)]


class Event(BaseModel):
    """A fact. Subclasses name their wire type in `event_type`.

    `payload_fields` are the fields whose value may be stored beside the log; `references` then says
    where, and the field has null in its place (see `steplog_contracts.data_ref`).
    """

    model_config = ConfigDict(frozen=True, extra="ignore", ser_json_inf_nan="constants")

    event_type: ClassVar[str]
    payload_fields: ClassVar[tuple[str, ...]] = ()

    # Left out of the JSON where there are none, which is nearly always.
    references: References | None = Field(default=None, exclude_if=lambda found: found is None)


class ErrorInfo(BaseModel):
    """What went wrong, in a form that survives the process it happened in."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    type: str  # Class name, dotted with its module unless built in.
    message: str
    traceback: str | None = None  # Trimmed to the user's own frames.
    step_id: str | None = None
    attempt: PositiveInt | None = None


class RetriedChild(BaseModel):
    """A visit of a retry whose child goes on from the one that its origin had begun there."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    step_id: str
    iteration: PositiveInt = 1
    origin_execution_id: str
    execution_id: str  # In the origin's partition, where its history is read.


class Origin(BaseModel):
    """Where a forked or retried execution took its first recorded results from."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    execution_id: str
    kind: Literal["fork", "retry"]
    from_step: str
    at_seq: PositiveInt  # Last event of the origin whose result was taken over.
    # Of a retry: children that did not complete, and are retried with it.
    children: tuple[RetriedChild, ...] = Field(default=(), exclude_if=lambda found: not found)


class StepEvent(Event):
    """A fact about one visit to a step; `iteration` counts visits, `attempt` tries of a visit.

    Each item of a map is a visit of its own: `step_id` is then `<map step>[<index>]`, and
    `item_index` says which item it is, counted from 0.
    """

    step_id: str
    iteration: PositiveInt = 1
    attempt: PositiveInt = 1
    item_index: Index | None = Field(default=None, exclude_if=lambda index: index is None)
