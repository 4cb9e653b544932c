"""Ctrl-C and a hard kill of the stack's supervisor leave nothing running."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from steplog.local.data_folder import DataFolder
from tests.steplog.cli.command_line import ROOT, clean_environment
from tests.steplog.local.waiting import has_ended, wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.broker, pytest.mark.database]
UP_TIMEOUT_S = 60.0


class Foreground:
    """A stack in the foreground of a terminal of its own."""

    def __init__(self, folder: DataFolder) -> None:
        self.folder = folder
        self.process = subprocess.Popen(
            [sys.executable, "-m", "steplog.cli.main", "up", f"--data-dir={folder.root}"],
            env=clean_environment(),
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        wait_until(self._is_ready, UP_TIMEOUT_S)
        self.family = psutil.Process(self.process.pid).children(recursive=True)

    def _is_ready(self) -> bool:
        state = self.folder.read_state()
        return state is not None and state.ready

    def nothing_runs(self) -> bool:
        """Whether every process it had is gone."""
        return all(has_ended(one) for one in self.family)


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Foreground]:
    """Return a running stack."""
    stack = Foreground(DataFolder(tmp_path))
    yield stack
    stack.process.kill()
    stack.process.communicate()


def test_ctrl_c_stops_everything_in_order(stack: Foreground) -> None:
    stack.process.send_signal(signal.SIGINT)
    out, _ = stack.process.communicate(timeout=60)

    assert out.rstrip().endswith("Stopped; nothing is left running.")
    assert len(stack.family) >= 5
    assert stack.nothing_runs()
    assert stack.folder.read_state() is None


def test_an_impatient_second_ctrl_c_leaves_nothing_either(stack: Foreground) -> None:
    for _ in range(3):
        stack.process.send_signal(signal.SIGINT)
        time.sleep(0.1)
    out, _ = stack.process.communicate(timeout=60)

    assert out.rstrip().endswith("Stopped; nothing is left running.")
    assert stack.nothing_runs()


def test_a_killed_supervisor_takes_everything_with_it(stack: Foreground) -> None:
    """Nobody is left to stop the parts: the kernel tells them."""
    stack.process.kill()

    wait_until(stack.nothing_runs, 30.0)
    assert not stack.folder.is_held()
