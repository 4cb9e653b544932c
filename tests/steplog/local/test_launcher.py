"""A child never outlives its parent, however the parent ends."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from steplog.local.launcher import ORPHANED_EXIT_CODE, SHELL_SIGNALLED, launcher_argv
from steplog.local.system_calls import is_root
from steplog.local.system_user import FOLDER_AS_SEEN, unprivileged_user
from tests.steplog.local.programs import SLEEPS
from tests.steplog.local.waiting import has_ended, wait_until

PARENT = """
import subprocess, sys, time
from steplog.local.launcher import launcher_argv
argv = launcher_argv([sys.executable, "-c", {code!r}])
argv[3:3] = {extra!r}
print(subprocess.Popen(argv, stdout=subprocess.DEVNULL).pid, flush=True)
time.sleep(60)
"""


def _parent_with_child(extra: list[str]) -> tuple["subprocess.Popen[str]", psutil.Process]:
    code = PARENT.format(code=SLEEPS, extra=extra)
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = psutil.Process(int(parent.stdout.readline()))
    parent.stdout.close()
    return parent, child


@pytest.mark.parametrize("extra", [[], ["--watch"]], ids=["by the kernel", "by watching"])
def test_a_child_ends_when_its_parent_is_killed(extra: list[str]) -> None:
    parent, child = _parent_with_child(extra)
    family = [child, *child.children(recursive=True)]

    parent.kill()
    parent.wait()

    wait_until(lambda: all(has_ended(one) for one in family))


def test_a_watching_launcher_passes_the_stop_signal_on() -> None:
    argv = launcher_argv([sys.executable, "-c", SLEEPS])
    argv[3:3] = ["--watch"]
    launcher = subprocess.Popen(argv, stdout=subprocess.PIPE)
    assert launcher.stdout is not None
    launcher.stdout.readline()

    launcher.terminate()

    assert launcher.wait(10) == SHELL_SIGNALLED + signal.SIGTERM
    launcher.stdout.close()


def test_a_launcher_whose_parent_is_gone_already_starts_nothing() -> None:
    argv = launcher_argv([sys.executable, "-c", "print('started')"])
    argv[3] = "--parent=1"

    done = subprocess.run(argv, capture_output=True, check=False)

    assert (done.returncode, done.stdout) == (ORPHANED_EXIT_CODE, b"")


def test_a_server_that_refuses_root_runs_as_somebody_else(tmp_path: Path) -> None:
    """Its folder lies below one that only root enters; it gets there, and nowhere else."""
    tmp_path.chmod(0o700)
    user = unprivileged_user()
    own = tmp_path / "own"
    own.mkdir()
    seen = FOLDER_AS_SEEN if user is not None else own
    code = 'echo $(id -u) $(test -d "$0/." && echo True)'

    argv = launcher_argv(["/bin/sh", "-c", code, str(seen)], user=user, folder=own)
    done = subprocess.run(argv, capture_output=True, text=True, check=True)

    uid, entered = done.stdout.split()
    assert entered == "True"
    assert (uid != "0") if is_root() else (int(uid) == os.geteuid())
