"""Executions of an archive, led through the definition of the working tree."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from executor_service import Allowlist, DefinitionRefused
from executor_service.definitions.replay import Rehearsing
from executor_service.engine.replay import Divergence
from steplog.archive.files import reader_for
from steplog.errors import BadInput
from steplog_contracts.codec import decode_event
from steplog_contracts.errors import SteplogError
from steplog_contracts.events import Event, ExecutionStarted

# What is held in memory; a larger archive is for `steplog replay-definition`.
MAX_EVENTS: Final = 1_000_000
MAX_SHOWN: Final = 10


@dataclass(frozen=True)
class ReplayedHistory:
    """What a definition would have made of recorded executions."""

    same: tuple[str, ...]
    different: Mapping[str, Divergence]
    unread: Mapping[str, str]  # Why an execution could not be led through it.


class RecordedHistory:
    """The executions whose beginning an archive holds."""

    def __init__(self, path: Path) -> None:
        """Read the archive; raises `BadInput` where it is none, damaged or too large."""
        self.executions: dict[str, list[Event]] = {}
        self.unread: dict[str, str] = {}
        for number, record in enumerate(reader_for(path).records(), 1):
            if number > MAX_EVENTS:
                raise BadInput(f"{path} has over {MAX_EVENTS} events; archive less for a test.")
            if record.value is not None:
                self._take(record.value, record.headers)

    def replay(self, definition: Mapping[str, Any], *, pipeline: str = "") -> ReplayedHistory:
        """Lead the executions of the definition's pipeline through it; `pipeline` names another.

        Raises:
            DefinitionRefused: the definition breaks a rule.
        """
        rehearsing = Rehearsing(dict(definition), Allowlist.everything())
        name = pipeline or str(definition.get("name"))
        same: list[str] = []
        different: dict[str, Divergence] = {}
        unread = dict(self.unread)
        for execution_id, events in self.executions.items():
            started = events[0]
            if not isinstance(started, ExecutionStarted) or started.pipeline_name != name:
                continue
            if any(event.references for event in events):
                unread[execution_id] = "It has values that are stored beside the log."
                continue
            try:
                difference = rehearsing.difference(events)
            except DefinitionRefused as error:
                unread[execution_id] = str(error)
                continue
            if difference is None:
                same.append(execution_id)
            else:
                different[execution_id] = difference
        return ReplayedHistory(tuple(same), different, unread)

    def assert_same(self, definition: Mapping[str, Any], *, pipeline: str = "") -> None:
        """Fail where an execution would have gone another way, or none could be led through it."""
        replayed = self.replay(definition, pipeline=pipeline)
        shown = list(replayed.different.items())[:MAX_SHOWN]
        told = "; ".join(f"{execution_id}: {difference}" for execution_id, difference in shown)
        assert not replayed.different, (
            f"{len(replayed.different)} of {len(self.executions)} executions would go another "
            f"way: {told}"
        )
        assert replayed.same, (
            "the archive has no execution of this pipeline that could be led through the "
            f"definition: {dict(list(replayed.unread.items())[:MAX_SHOWN])}"
        )

    def _take(self, value: bytes, headers: Any) -> None:
        try:
            recorded = decode_event(value, headers)
        except SteplogError as error:
            self.unread[f"record {len(self.unread) + 1}"] = str(error)
            return
        events = self.executions.setdefault(recorded.envelope.execution_id, [])
        if recorded.envelope.seq == len(events) + 1:  # A repeat is no news.
            events.append(recorded.event)
        elif not events:
            del self.executions[recorded.envelope.execution_id]  # Its beginning is elsewhere.
