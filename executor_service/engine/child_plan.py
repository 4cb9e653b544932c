"""What a step of type `pipeline` has run, and how deep and wide a tree of executions may grow."""

import uuid
from dataclasses import dataclass
from typing import Final

from executor_service.engine.templates import Template
from steplog_contracts.payload import JsonObject

MAX_DEPTH: Final = 8
# Executions that one execution begins, those of its loops and maps together.
MAX_CHILDREN: Final = 10_000
_CHILDREN: Final = uuid.uuid5(uuid.NAMESPACE_URL, "https://steplog.dev/children")


@dataclass(frozen=True, slots=True)
class ChildPlan:
    """The pipeline that a step has run; `input` is None where it is given the branch's data."""

    pipeline: str | None
    definition: JsonObject | None
    input: Template = None
    has_input: bool = False
    waits: bool = True
    cancelled_with_parent: bool = True


def child_id_of(execution_id: str, step_id: str, iteration: int, attempt: int) -> str:
    """Return the id of the execution that an attempt begins: the same one whenever it is asked."""
    return str(uuid.uuid5(_CHILDREN, f"{execution_id}:{step_id}:{iteration}:{attempt}"))
