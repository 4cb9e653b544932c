"""The shapes of answers, for the OpenAPI document and for people who read it.

Answers are written from rows, not through these models; tests hold every answer to its shape.
"""

from datetime import datetime
from typing import Any, Final

from pydantic import BaseModel, Field

from steplog_contracts.payload import JsonObject, JsonValue
from steplog_contracts.records import ExecutionRecord, InteractionRecord, StepRecord
from tracker_service.http_api.visit_shapes import BarShape, EdgeShape, NodeShape

Responses = dict[int | str, dict[str, Any]]


class Problem(BaseModel):
    """Problem details (RFC 9457); `detail` is one sentence for people."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str


class FreshnessShape(BaseModel):
    """How far the rows are behind the log when the answer was read."""

    tracker: str = Field(
        description="fresh, behind, away: no worker looks at the log, or log_lost_records: rows "
        "were made from records the log does not have any more."
    )
    log_lost: str | None = Field(None, description="What the log lost, and what to do.")
    positions: dict[str, int] = Field(description="By partition the first offset not applied.")
    gap: int = Field(description="Events behind.")
    lag_s: float = Field(description="Seconds behind.")
    observed_at: datetime | None = None
    satisfied: bool | None = Field(
        None, description="Whether what was waited for showed in time; absent without a wait."
    )


class Answer(BaseModel):
    """Every answer tells its freshness."""

    freshness: FreshnessShape


class ExecutionShape(ExecutionRecord):
    """One execution; lists in brief leave payloads out."""

    parameters: JsonValue = None
    definition_hash: str | None = None
    command_id: str | None = None
    fork_kind: str | None = None
    fork_step: str | None = None
    fork_seq: int | None = None
    first_position: str | None = None


class ExecutionPage(Answer):
    """A page of executions."""

    items: list[ExecutionShape]
    next_cursor: str | None = Field(description="For `cursor`; null on the last page.")


class CountsAnswer(Answer):
    """Executions by status."""

    counts: dict[str, int]
    total: int
    exact: bool
    at_least: list[str] = Field(description="Statuses whose number is a lower bound.")
    counted_at: datetime | None


class OneExecution(Answer):
    """One execution."""

    execution: ExecutionShape


class StepShape(StepRecord):
    """One visit to a step."""

    interaction_id: str | None = None


class StepPage(Answer):
    """Visits to steps in the order they began."""

    items: list[StepShape]


class ItemPage(Answer):
    """Visits to the items of a map in the items' order."""

    items: list[StepShape]
    next_index: int | None = Field(description="For `after_index`; null on the last page.")


class InteractionShape(InteractionRecord):
    """One question to a person."""

    iteration: int = 1
    channels: JsonValue = None
    assigned_users: JsonValue = None


class InteractionPage(Answer):
    """Questions to people, oldest first."""

    items: list[InteractionShape]


class OneInteraction(Answer):
    """One question to a person."""

    interaction: InteractionShape


class GraphAnswer(Answer):
    """The flow of an execution with its states."""

    execution_id: str
    status: str
    start_at: str | None
    nodes: list[NodeShape]
    edges: list[EdgeShape]


class AttemptShape(BaseModel):
    """A failed attempt that was followed by another; `error_info` is left out of timelines."""

    step_id: str
    iteration: int
    attempt: int
    seq: int
    failed_at: datetime
    retry_at: datetime
    duration_ms: float
    error_message: str
    error_info: JsonValue


class ReasonShape(BaseModel):
    """One thing that an execution waits for, or why it ended."""

    code: str
    sentence: str
    remedy: str | None
    step_id: str | None
    until: datetime | None


class WhyAnswer(Answer):
    """Why an execution stands where it stands, the most telling reason first."""

    execution_id: str
    status: str
    reasons: list[ReasonShape]


class AttemptPage(Answer):
    """Failed attempts in order."""

    items: list[AttemptShape]


class StatusChangeShape(BaseModel):
    """A change between beginning and end."""

    seq: int
    status: str
    changed_at: datetime


class CompensationShape(BaseModel):
    """A step that was undone, or an attempt at that which failed."""

    step_id: str
    iteration: int
    seq: int
    compensated_at: datetime
    error_info: JsonValue = None


class TimelineAnswer(Answer):
    """What happened when."""

    execution_id: str
    status: str
    started_at: datetime
    completed_at: datetime | None
    visits: list[BarShape]
    attempts: list[AttemptShape]
    waits: list[InteractionShape]
    status_changes: list[StatusChangeShape]
    compensations: list[CompensationShape]


class DefinitionAnswer(Answer):
    """A pipeline definition as it was recorded."""

    definition_hash: str
    definition: JsonObject


class RelativeShape(BaseModel):
    """An execution another one is related to; only the id where its row is not there."""

    execution_id: str
    pipeline_id: str | None
    pipeline_name: str | None
    status: str | None
    started_at: datetime | None
    completed_at: datetime | None
    fork_kind: str | None
    fork_step: str | None
    fork_seq: int | None
    forked_from: str | None
    parent_execution_id: str | None


class RelativesAnswer(Answer):
    """Where an execution comes from and what came of it."""

    execution_id: str
    origin: RelativeShape | None
    parent: RelativeShape | None
    fork_kind: str | None
    fork_step: str | None
    fork_seq: int | None
    forks: list[RelativeShape]
    retries: list[RelativeShape]
    children: list[RelativeShape]


_DESCRIPTIONS: Final = {
    400: "The body is not JSON.",
    401: "No valid credentials were given.",
    403: "The caller's role does not allow it.",
    404: "It is not in the rows.",
    409: "It does not stand as the command needs it.",
    410: "It was there once; the text says where it is gone from.",
    413: "The body, or what was asked for, is too large.",
    422: "A parameter or the body can't be used.",
    429: "Too many requests; `Retry-After` says when to come again.",
    503: "Not now; `Retry-After` says when to try again.",
}
_ALWAYS: Final = (401, 403, 422, 429, 503)


def problems(*statuses: int) -> Responses:
    """Return the problem answers of a route, those any route may give included."""
    return {
        status: {
            "description": _DESCRIPTIONS[status],
            "content": {"application/problem+json": {"schema": _PROBLEM_SCHEMA}},
        }
        for status in sorted({*statuses, *_ALWAYS})
    }


def answers(shape: type[BaseModel], *statuses: int) -> Responses:
    """Return the answers of a route: its shape, 304 where it has a tag, and problems."""
    return {
        200: {"model": shape, "description": (shape.__doc__ or "").partition("\n")[0]},
        **problems(*statuses),
    }


_PROBLEM_SCHEMA: Final = Problem.model_json_schema()
