"""What the routes of one API share: the rows, what masks them, and what is kept for a moment."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Final

from fastapi import Path

from steplog_contracts.commands import CancelExecution, ResumeExecution
from steplog_contracts.envelope import format_time
from steplog_contracts.limits import MAX_VALUE_BYTES
from tracker_service.access.policy import Policy
from tracker_service.http_api.as_of import Past
from tracker_service.http_api.count_cache import CountCache
from tracker_service.http_api.live.change_feed import MAX_LISTENERS, ChangeFeed
from tracker_service.http_api.masking import Masks
from tracker_service.http_api.middleware.auth import DEFAULT_RATE_PER_S
from tracker_service.http_api.problems import NeverBegan, NotFound
from tracker_service.log.command_sink import CommandSink
from tracker_service.log.events_log import EventsLog
from tracker_service.payload_reader import PayloadReader
from tracker_service.store.queries import Row
from tracker_service.store.read_port import ReadModel

MAX_ID_CHARS: Final = 200
# What a record of the commands topic may hold, its headers left room for.
# Any id a record may be keyed by, but for control characters, which no URL carries well.
ExecutionIdInPath = Annotated[
    str, Path(min_length=1, max_length=MAX_ID_CHARS, pattern=r"^[^\x00-\x1f\x7f]+$")
]

# The remedy for an id that nothing is known of.
LISTED: Final = "`steplog ls` lists those there are."
# Commands about an execution that has begun: refusing one says nothing of its beginning.
_CHANGES: Final = (CancelExecution.command_type, ResumeExecution.command_type)
# Refusals that say that the execution began, or may have.
_BEGAN_BEFORE: Final = ("duplicate_execution", "duplicate_command", "history_removed")


@dataclass(frozen=True)
class Protection:
    """Who is let in, how often, and how many listen; by default anybody, for use in process."""

    policy: Policy = field(default_factory=Policy)
    rate_per_s: int = DEFAULT_RATE_PER_S
    max_streams: int = MAX_LISTENERS
    max_command_bytes: int = MAX_VALUE_BYTES  # More where the sink stores what is large.


class Parts:
    """One API's parts; routes are made over them, those of the web page too."""

    def __init__(
        self,
        model: ReadModel,
        topic: str,
        log: EventsLog | None,
        reader: PayloadReader,
        commands: CommandSink | None = None,
        protection: Protection | None = None,
        trouble: Callable[[], str | None] | None = None,
    ) -> None:
        self.model = model
        self.reader = reader
        self.topic = topic
        self.log = log
        self.commands = commands
        self.masks = Masks(model, reader)
        self.past = Past(model, topic, log, self.masks)
        self.tallies = CountCache(model)
        protection = protection or Protection()
        self.policy = protection.policy
        self.max_command_bytes = protection.max_command_bytes
        self._trouble = trouble
        self.feed = ChangeFeed(model, topic, self.masks, max_listeners=protection.max_streams)

    @property
    def trouble(self) -> str | None:
        """Return what keeps this process from being ready; None: nothing."""
        return self.policy.trouble or (None if self._trouble is None else self._trouble())

    async def execution(self, execution_id: str) -> Row:
        """Return one execution's row as it is stored.

        Raises:
            NotFound: it has no row.
        """
        row = await self.model.execution(execution_id)
        if row is None:
            raise await self.not_found(execution_id)
        return row

    async def refused(self, execution_id: str) -> NeverBegan | None:
        """Return why an execution without a row never began, None if nothing refused it."""
        for refusal in await self.model.refusals(execution_id):
            begins = refusal["command_type"] not in _CHANGES
            if begins and refusal["code"] not in _BEGAN_BEFORE:
                return NeverBegan(
                    execution_id, refusal["command_id"], refusal["code"], refusal["message"]
                )
        return None

    async def not_found(self, execution_id: str) -> NotFound:
        """Return what is said of an execution that has no row."""
        refused = await self.refused(execution_id)
        if refused is not None:
            return refused
        pruned_before = await self.model.pruned_before()
        if pruned_before is None:
            return NotFound(
                f"There is no execution {execution_id}. It may not have begun yet, or belong to "
                f"another log or file; {LISTED}"
            )
        return NotFound(
            f"There is no execution {execution_id} here. It may have been pruned, as those that "
            f"ended before {format_time(pruned_before)} were; `steplog rebuild` brings them back "
            f"from the log, and {LISTED}"
        )
