"""Events decided and folded, on their way to being recorded."""

from collections.abc import Callable, Sequence

from executor_service.ports.runtime import Recorder
from steplog_contracts import events as ev


class Outbox:
    """Keeps events in order, apart by the command that caused them, until they are recorded."""

    def __init__(
        self, recorder: Recorder | None, on_event: Callable[[ev.Event], None] | None
    ) -> None:
        self._recorder = recorder
        self._on_event = on_event
        # What is to be recorded, by cause; asked for at every step.
        self.waiting: list[tuple[str | None, list[ev.Event]]] = []

    def put(self, events: Sequence[ev.Event], cause: str | None) -> None:
        """Take events in the order they are to be recorded."""
        if self._on_event is not None:
            for event in events:
                self._on_event(event)
        if self._recorder is None or not events:
            return
        if not self.waiting or self.waiting[-1][0] != cause:
            self.waiting.append((cause, []))
        self.waiting[-1][1].extend(events)

    async def flush(self) -> None:
        """Return once everything put in so far is acknowledged; one append for each cause.

        Raises:
            RecordingLost: this process may no longer write; what waits here is void.
        """
        groups, self.waiting = self.waiting, []
        for cause, events in groups:
            assert self._recorder is not None, "nothing is put in without a recorder"
            await self._recorder.record(events, cause=cause)
