"""Parts that end are started again, with patience and with an end to it."""

import pytest

from steplog.errors import ServerNotStarted
from steplog.local.restart_policy import MAX_RESTARTS_IN_A_ROW
from steplog.local.stack_state import ProcessState, ProcessStatus
from steplog.local.supervisor import Supervisor
from tests.steplog.local.fake_servers import FakeClock, FakeServer


class Watched:
    """A supervisor over one fake server, with every state it told."""

    def __init__(self) -> None:
        self.told: list[ProcessState] = []
        self.clock = FakeClock()
        self.server = FakeServer()
        self.supervisor = Supervisor(self.told.append, self.clock)
        self.supervisor.start([self.server])

    def ends(self) -> None:
        """Let what runs end, and be noticed."""
        self.server.started[-1].exit_code = 1
        self.supervisor.look_around()

    def passes(self, seconds: float) -> None:
        """Let time pass."""
        self.clock.now_s += seconds
        self.supervisor.look_around()

    @property
    def statuses(self) -> list[ProcessStatus]:
        """Return the statuses told, repeats left out."""
        told = [state.status for state in self.told]
        return [one for i, one in enumerate(told) if i == 0 or told[i - 1] is not one]


@pytest.fixture
def watched() -> Watched:
    """Return a running supervisor."""
    return Watched()


def test_a_started_server_is_told_to_run(watched: Watched) -> None:
    assert watched.statuses == [ProcessStatus.STARTING, ProcessStatus.RUNNING]


def test_an_ended_server_is_started_again_after_its_delay(watched: Watched) -> None:
    watched.ends()
    watched.passes(0.4)
    before = len(watched.server.started)
    watched.passes(0.2)

    assert (before, len(watched.server.started)) == (1, 2)
    assert watched.told[-1].restarts == 1


def test_the_reason_of_an_ending_is_told(watched: Watched) -> None:
    watched.ends()

    assert watched.told[-1].status is ProcessStatus.RESTARTING
    assert watched.told[-1].note == "ended with code 1: goodbye"


def test_a_restarted_server_runs_once_it_answers(watched: Watched) -> None:
    watched.server.ready = False
    watched.ends()
    watched.passes(1.0)
    watched.passes(0.0)
    starting = watched.told[-1].status
    watched.server.ready = True
    watched.passes(0.0)

    assert starting is ProcessStatus.STARTING
    assert watched.told[-1].status is ProcessStatus.RUNNING
    assert watched.told[-1].note is None


def test_a_server_that_keeps_ending_is_left_alone(watched: Watched) -> None:
    for _ in range(MAX_RESTARTS_IN_A_ROW + 1):
        watched.ends()
        watched.passes(30.0)

    watched.passes(1000.0)

    assert watched.told[-1].status is ProcessStatus.FAILED
    assert len(watched.server.started) == MAX_RESTARTS_IN_A_ROW + 1


def test_a_server_that_ends_before_it_is_ready_stops_the_start() -> None:
    server = FakeServer(ready=False)
    told: list[ProcessState] = []
    supervisor = Supervisor(told.append)
    server.start = lambda: _ended(server)  # type: ignore[method-assign]

    with pytest.raises(ServerNotStarted, match="kafka ended before it was ready: goodbye"):
        supervisor.start([server])

    assert told[-1].status is ProcessStatus.FAILED


def test_stopping_stops_everything_and_tells_so(watched: Watched) -> None:
    watched.supervisor.stop()

    assert watched.server.started[0].stopped
    assert watched.told[-1].status is ProcessStatus.STOPPED


def _ended(server: FakeServer):  # type: ignore[no-untyped-def]
    running = FakeServer.start(server)
    running.exit_code = 3
    return running
