"""What every question begins with: the wait asked for, then freshness, then the rows.

Freshness is read before the rows, so rows are never older than an answer says.
"""

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Request, Response

from tracker_service.http_api.context import ExecutionIdInPath, Parts
from tracker_service.http_api.responses import Unchanged, answer, has_already, tag_of
from tracker_service.http_api.wait_for import AwaitedFirst, wait
from tracker_service.store.freshness import Freshness
from tracker_service.store.queries import Row


def _parts(request: Request) -> Parts:
    parts: Parts = request.app.state.parts
    return parts


PartsOfApp = Annotated[Parts, Depends(_parts)]


@dataclass(frozen=True, slots=True)
class Question:
    """A question whose wait is over, and the freshness its answer will tell."""

    parts: Parts
    freshness: Freshness
    satisfied: bool | None = None

    async def answer(
        self, body: dict[str, Any], *, execution: Row | None = None, tag: str | None = None
    ) -> Response:
        """Return the answer, its secrets masked; `execution` is what all of it is about."""
        shown = await self.parts.masks.shown(body, execution)
        return answer(shown, self.freshness, satisfied=self.satisfied, tag=tag)


async def _asked(parts: PartsOfApp, first: AwaitedFirst) -> Question:
    satisfied = await wait(parts.model, parts.topic, first)
    return Question(parts, await parts.model.freshness(parts.topic), satisfied)


Asked = Annotated[Question, Depends(_asked)]


@dataclass(frozen=True, slots=True)
class OfExecution:
    """A question about one execution, with its row as stored; `row` is not masked."""

    asked: Question
    row: Row

    @property
    def parts(self) -> Parts:
        """The API's parts."""
        return self.asked.parts

    @property
    def execution_id(self) -> str:
        """The execution asked about."""
        execution_id: str = self.row["execution_id"]
        return execution_id

    async def answer(self, body: dict[str, Any]) -> Response:
        """Return an answer that holds until the execution's next event."""
        return await self.asked.answer(body, execution=self.row, tag=tag_of(self.row))

    async def fleeting_answer(self, body: dict[str, Any]) -> Response:
        """Return an answer that may change without an event of this execution."""
        return await self.asked.answer(body, execution=self.row)


async def _of_execution(asked: Asked, execution_id: ExecutionIdInPath) -> OfExecution:
    return OfExecution(asked, await asked.parts.execution(execution_id))


AskedOfExecution = Annotated[OfExecution, Depends(_of_execution)]


async def _if_changed(request: Request, one: AskedOfExecution) -> OfExecution:
    if has_already(request, tag_of(one.row)):
        raise Unchanged(tag_of(one.row), one.asked.freshness)
    return one


AskedIfChanged = Annotated[OfExecution, Depends(_if_changed)]
