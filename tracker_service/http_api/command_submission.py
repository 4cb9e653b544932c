"""From a request to a command in the log: who asked, its ids, its size, and what became of it."""

import asyncio
from dataclasses import dataclass
from typing import Annotated, Any, Final

import structlog
from fastapi import Depends, Header, Query, Response
from pydantic import BaseModel, Field, model_validator

from steplog_contracts.command_builder import CommandT, made_command
from steplog_contracts.commands import Command
from steplog_contracts.payload import encode_payload, json_problem
from tracker_service.access.roles import Caller
from tracker_service.http_api import schemas
from tracker_service.http_api.context import Parts
from tracker_service.http_api.middleware.caller import Operator
from tracker_service.http_api.problems import BadQuestion, NotAcknowledged, Refused, TooLarge
from tracker_service.http_api.query_context import PartsOfApp
from tracker_service.http_api.responses import accepted
from tracker_service.http_api.wait_for import MAX_WAIT_MS, Awaited, wait
from tracker_service.log.command_sink import (
    UNACKNOWLEDGED,
    CommandNotSent,
    CommandSink,
    TakesNoCommands,
    command_id_for,
)
from tracker_service.store.freshness import Freshness

# How long the rows may take to say what they know of a command that is in the log already.
ROWS_TIMEOUT_S: Final = 2.0

_log = structlog.get_logger(__name__)

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        pattern=r"^[\x21-\x7e]+$",
        description="The same key makes the same command: sending it again has the effect of once.",
    ),
]
OutcomeWithin = Annotated[
    int,
    Query(
        alias="timeout_ms",
        ge=0,
        le=MAX_WAIT_MS,
        description="Wait so long to learn whether the executor takes it; 0: answer at once.",
    ),
]


class Submitted(BaseModel):
    """A command that is in the log."""

    command_id: str
    execution_id: str = Field(description="The execution it concerns, or begins.")
    status: str = Field(description="accepted, or applied if that was waited for.")
    freshness: schemas.FreshnessShape | None = Field(
        description="null while the read model is away: what becomes of the command shows later."
    )


@dataclass(frozen=True, slots=True)
class Submission:
    """One request for a command, by a caller who may send it."""

    parts: Parts
    caller: Caller
    key: str | None
    outcome_within_ms: int

    @property
    def sink(self) -> CommandSink:
        """The log; raises `CommandNotSent` where this API has none."""
        if self.parts.commands is None:
            raise TakesNoCommands
        return self.parts.commands

    def command_id(self, operation: str) -> str:
        """Return the id of the command for an operation such as `cancel e-1`."""
        return command_id_for(self.caller.name or "", operation, self.key)

    def made(self, kind: type[CommandT], **given: Any) -> CommandT:
        """Return a command that tells who asked for it.

        Raises:
            BadQuestion: a value has no form the command can take.
        """
        return made_command(kind, {"requested_by": self.caller.name, **given}, BadQuestion)

    async def send(self, command: Command, command_id: str) -> None:
        """Put a command into the log.

        Raises:
            TooLarge: the log takes no command of that size.
            CommandNotSent: it was not acknowledged, and can be sent again as it is.
            NotAcknowledged: nor was it, and sent again it might be carried out twice.
        """
        size = len(encode_payload(command))
        if size > self.parts.max_command_bytes:
            raise TooLarge(
                f"The command has {size} bytes, and at most {self.parts.max_command_bytes} are "
                "taken here; send it with `steplog run` or from Python, which store what is large, "
                "or put that where steps can read it and give its address."
            )
        try:
            await self.sink.send(command, command_id)
        except CommandNotSent as error:
            if self.key is not None or not error.maybe_sent:
                raise
            raise NotAcknowledged(
                f"{UNACKNOWLEDGED} It may be in it all the same: look at "
                f"/api/commands/{command_id} before you send it again, or send commands with an "
                "Idempotency-Key, which can be repeated."
            ) from error

    async def answered(self, command: Command, command_id: str) -> Response:
        """Send a command and answer 202 with where to look.

        Raises:
            Refused: its outcome was waited for and the executor refused it.
        """
        await self.send(command, command_id)
        # It is in the log and will be carried out: from here on nothing may say otherwise.
        told = await self._told(command_id)
        body = {
            "command_id": command_id,
            "execution_id": command.execution_id,
            "status": "accepted" if told.status == "unknown" else told.status,
        }
        response = accepted(body, told.freshness)
        response.headers["Location"] = f"/api/executions/{command.execution_id}"
        response.headers["Steplog-Command-Id"] = command_id
        return response

    async def _told(self, command_id: str) -> "Told":
        """Return what the rows say of a command; raises `Refused` alone."""
        try:
            async with asyncio.timeout(self.outcome_within_ms / 1000 + ROWS_TIMEOUT_S):
                status = await self.outcome(command_id)
                return Told(status, await self.parts.model.freshness(self.parts.topic))
        except Refused:
            raise
        except Exception as error:
            _log.warning("outcome_not_known", command_id=command_id, reason=repr(error))
            return Told("unknown", None)

    async def outcome(self, command_id: str) -> str:
        """Return what became of a command within the time it is waited for."""
        if not self.outcome_within_ms:
            return "unknown"
        parts = self.parts
        first = Awaited(command_id, timeout_ms=self.outcome_within_ms)
        await wait(parts.model, parts.topic, first)
        outcome = await parts.model.command(command_id)
        if outcome.status == "refused":
            shown = await parts.masks.shown(
                {"execution_id": outcome.execution_id, "message": outcome.message}
            )
            message = shown["message"] or "The command was refused."
            raise Refused(outcome.code or "refused", message)
        return outcome.status


@dataclass(frozen=True, slots=True)
class Told:
    """What the rows say of a command; no freshness where the read model is away."""

    status: str
    freshness: Freshness | None


def _submission(
    parts: PartsOfApp, caller: Operator, key: IdempotencyKey = None, within: OutcomeWithin = 0
) -> Submission:
    return Submission(parts, caller, key, within)


Submitting = Annotated[Submission, Depends(_submission)]


class Body(BaseModel):
    """The body of a command; a key it does not know is refused rather than passed over."""

    model_config = {"extra": "forbid"}

    @model_validator(mode="before")
    @classmethod
    def _is_json(cls, given: Any) -> Any:
        problem = json_problem(given)
        if problem is not None:
            raise ValueError(problem)
        return given
