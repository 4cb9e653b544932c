"""A child is stopped for certain, and its log tells what it said."""

import signal
from pathlib import Path

import psutil

from steplog.local.child import Child
from tests.steplog.local.programs import DEAF, SLEEPS, python_program
from tests.steplog.local.waiting import has_ended, wait_until


def test_a_child_ends_by_its_stop_signal(tmp_path: Path) -> None:
    child = Child.start(python_program(tmp_path, SLEEPS))
    wait_until(lambda: "awake" in child.log_tail())

    child.stop()

    assert child.exit_code == -signal.SIGTERM


def test_a_child_that_ignores_its_stop_signal_is_killed(tmp_path: Path) -> None:
    child = Child.start(python_program(tmp_path, DEAF, stop_timeout_s=0.2))
    wait_until(lambda: "awake" in child.log_tail())

    child.stop()

    assert child.exit_code == -signal.SIGKILL


def test_what_a_killed_child_started_is_killed_with_it(tmp_path: Path) -> None:
    """A database's workers would otherwise hold its files after it is gone."""
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {DEAF!r}])"
    code = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {parent}"
    child = Child.start(python_program(tmp_path, code, stop_timeout_s=0.2))
    wait_until(lambda: "awake" in child.log_tail())
    grandchild = psutil.Process(child.pid).children()[0]

    child.stop()

    wait_until(lambda: has_ended(grandchild))
    assert child.exit_code == -signal.SIGKILL


def test_stopping_an_ended_child_is_harmless(tmp_path: Path) -> None:
    child = Child.start(python_program(tmp_path, "pass"))
    wait_until(lambda: child.exit_code is not None)

    child.stop()

    assert child.exit_code == 0


def test_last_words_skip_the_indented_lines_of_a_traceback(tmp_path: Path) -> None:
    child = Child.start(python_program(tmp_path, "raise RuntimeError('the disk is full')"))
    wait_until(lambda: child.exit_code is not None)

    words = child.last_words

    assert words == "RuntimeError: the disk is full"


def test_ctrl_c_in_the_terminal_does_not_reach_a_child(tmp_path: Path) -> None:
    """The supervisor alone gets it, and stops the parts in their order."""
    child = Child.start(python_program(tmp_path, "import os; print(os.getsid(0) == os.getpid())"))

    wait_until(lambda: child.exit_code is not None)

    assert child.last_words == "True"
