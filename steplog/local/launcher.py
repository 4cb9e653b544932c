"""Become another program that ends when its parent ends: `python -m steplog.local.launcher`.

A supervisor that is killed hard can't stop its children, so each child arranges it for itself
before it turns into its program. Linux delivers a signal of our choice at the parent's death;
elsewhere the launcher stays and watches. It is a program of its own, between fork and exec, because
Python code after a fork (`preexec_fn`) can deadlock.
"""

import argparse
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType

from steplog.local import system_user
from steplog.local.system_calls import signal_me_when_parent_ends

PARENT_WATCH_INTERVAL_S = 0.25
ORPHANED_EXIT_CODE = 70
# As shells tell of a program that a signal ended.
SHELL_SIGNALLED = 128


def launcher_argv(
    argv: Sequence[str],
    *,
    death_signal: signal.Signals = signal.SIGTERM,
    user: str | None = None,
    folder: Path | None = None,
) -> list[str]:
    """Return the command that runs `argv` tied to the calling process.

    As `user` it finds `folder` at `system_user.FOLDER_AS_SEEN`, wherever that lies.
    Linux ties to the calling *thread*: start children from one that lives as long as they may.
    """
    command = [sys.executable, "-m", "steplog.local.launcher", f"--parent={os.getpid()}"]
    command.append(f"--death-signal={death_signal.value}")
    if user is not None:
        command.append(f"--user={user}")
    if folder is not None:
        command.append(f"--folder={folder}")
    return [*command, "--", *argv]


def main(arguments: Sequence[str] | None = None) -> int:
    """Tie, drop privileges and run the program; returns only where the launcher has to stay."""
    options = _options(arguments)
    if options.user is not None:
        system_user.become(options.user, options.folder)
    tied = not options.watch and signal_me_when_parent_ends(options.death_signal)
    if os.getppid() != options.parent:
        return ORPHANED_EXIT_CODE
    if tied:
        os.execvp(options.argv[0], options.argv)  # noqa: S606
    return _run_and_watch(options.argv, options.parent, options.death_signal)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="steplog.local.launcher")
    parser.add_argument("--parent", type=int, required=True)
    parser.add_argument("--death-signal", type=int, required=True)
    parser.add_argument("--user")
    parser.add_argument("--folder", help="opened before the user changes")
    parser.add_argument("--watch", action="store_true", help="stay and watch, as outside Linux")
    parser.add_argument("argv", nargs="+")
    return parser.parse_args(arguments)


def _run_and_watch(argv: Sequence[str], parent: int, death_signal: int) -> int:
    child = subprocess.Popen(argv)  # noqa: S603
    # Whoever stops the launcher means the program.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _pass_on_to(child))
    while child.poll() is None:
        if os.getppid() != parent:
            child.send_signal(death_signal)
            break
        time.sleep(PARENT_WATCH_INTERVAL_S)
    code = child.wait()
    return code if code >= 0 else SHELL_SIGNALLED - code


def _pass_on_to(child: "subprocess.Popen[bytes]") -> Callable[[int, FrameType | None], None]:
    def pass_on(number: int, _frame: FrameType | None) -> None:
        child.send_signal(number)

    return pass_on


if __name__ == "__main__":
    sys.exit(main())
