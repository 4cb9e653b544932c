"""How a visit, and a step of a flow with its newest visit, look in answers."""

from datetime import datetime

from pydantic import BaseModel, Field

from steplog_contracts.payload import JsonValue


class NodeShape(BaseModel):
    """A step of the flow; `state` is its newest visit's status or `not_reached`."""

    step_id: str
    step_name: str
    step_type: str
    step_class: str | None
    state: str
    visits: int
    attempt: int
    started_at: datetime | None
    completed_at: datetime | None
    error_message: str | None


class EdgeShape(BaseModel):
    """A path of the flow; `index` is its number in events."""

    index: int
    from_step: str
    to_step: str
    ends: bool = Field(description="It leads to an end marker instead of a step.")
    condition: JsonValue
    branch: bool | str | None = Field(
        description="The outcome of its step it belongs to: of a condition, or a switch's way."
    )
    errors: list[str] | None = Field(None, description="It is taken after these errors alone.")
    taken: bool | None = Field(description="Null where the rows can't tell.")


class BarShape(BaseModel):
    """One visit on the timeline."""

    step_execution_id: str
    step_id: str
    step_name: str
    step_type: str
    status: str
    started_at: datetime | None
    completed_at: datetime | None
    execution_time_ms: float | None
    iteration: int
    attempt: int
    seq: int
    interaction_id: str | None
    error_message: str | None
    last_heartbeat: JsonValue = None
    item_count: int | None
    item_counts: dict[str, int] | None
    child_execution_id: str | None
