"""What an execution that another one began knows of the visit it was begun by."""

from pydantic import BaseModel, ConfigDict, PositiveInt


class ParentVisit(BaseModel):
    """The visit of a parent's step that began an execution; if it `waits`, it ends as that does."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    step_id: str
    iteration: PositiveInt = 1
    attempt: PositiveInt = 1
    depth: PositiveInt = 1  # 1 for a child, 2 for a child's child.
    waits: bool = True
