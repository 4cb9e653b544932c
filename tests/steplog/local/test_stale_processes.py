"""What a killed stack left running is ended before its data is used again."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta

import psutil

from steplog.local.stack_state import ProcessState, StackState
from steplog.local.stale_processes import end_leftovers
from tests.steplog.local.programs import SLEEPS


def _state(pid: int, since: datetime) -> StackState:
    part = ProcessState(name="executor", kind="service", pid=pid, since=since)
    return StackState(
        supervisor_pid=1, started_at=since, topic_namespace="n", partitions=8, processes=(part,)
    )


def test_a_process_the_state_names_is_ended() -> None:
    left = subprocess.Popen([sys.executable, "-c", SLEEPS], stdout=subprocess.DEVNULL)

    end_leftovers(_state(left.pid, datetime.now(UTC) + timedelta(seconds=1)))

    assert left.wait(5) is not None


def test_a_later_owner_of_the_process_id_is_left_alone() -> None:
    stranger = subprocess.Popen([sys.executable, "-c", SLEEPS], stdout=subprocess.DEVNULL)

    end_leftovers(_state(stranger.pid, datetime.now(UTC) - timedelta(hours=1)))

    assert psutil.pid_exists(stranger.pid)
    assert stranger.poll() is None
    stranger.kill()
    stranger.wait()


def test_a_clean_end_leaves_nothing_to_do() -> None:
    end_leftovers(None)
