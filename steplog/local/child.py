"""One program run as a child: started tied to us, its output in a log file, stopped for certain."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from steplog.local.launcher import launcher_argv
from steplog_contracts.private_files import open_private

DEFAULT_STOP_TIMEOUT_S = 15.0
PRIVATE_UMASK = 0o077
INHERITED_UMASK = -1
KILL_TIMEOUT_S = 5.0
LOG_TAIL_BYTES = 4000


@dataclass(frozen=True, slots=True)
class Program:
    """What to run and how to end it."""

    name: str
    argv: tuple[str, ...]
    log_path: Path
    env: Mapping[str, str] = field(default_factory=dict)  # On top of our own.
    user: str | None = None
    folder: Path | None = None  # That `user` is let into.
    stop_signal: signal.Signals = signal.SIGTERM
    # What a server writes is private; an executor's steps may write for others.
    umask: int = PRIVATE_UMASK
    stop_timeout_s: float = DEFAULT_STOP_TIMEOUT_S


class Child:
    """A running program."""

    def __init__(self, program: Program, process: "subprocess.Popen[bytes]") -> None:
        self.program = program
        self._process = process

    @classmethod
    def start(cls, program: Program) -> "Child":
        """Start the program in a session of its own, so that Ctrl-C reaches only its supervisor."""
        argv = launcher_argv(
            program.argv,
            death_signal=program.stop_signal,
            user=program.user,
            folder=program.folder,
        )
        with open_private(program.log_path, append=True) as log:
            process = subprocess.Popen(  # noqa: S603
                argv,
                env={**os.environ, **program.env},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                umask=program.umask,
            )
        return cls(program, process)

    @property
    def pid(self) -> int:
        """Return the process id."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """Return None while it runs; negative numbers are signals."""
        return self._process.poll()

    @property
    def log(self) -> str:
        """Return the path of its log."""
        return str(self.program.log_path)

    @property
    def last_words(self) -> str:
        """Return the last line it wrote that is no continuation of another, as in a traceback."""
        lines = [line for line in self.log_tail().splitlines() if line.strip()]
        whole = [line for line in lines if not line[0].isspace()]
        return whole[-1] if whole else ""

    def ask_to_stop(self) -> None:
        """Send the stop signal and return at once, so that several can stop side by side."""
        if self.exit_code is None:
            self._process.send_signal(self.program.stop_signal)

    def stop(self) -> None:
        """Stop it in its own way within its time, else kill it and everything it started."""
        family = _family(self.pid)
        self.ask_to_stop()
        try:
            self._process.wait(self.program.stop_timeout_s)
        except subprocess.TimeoutExpired:
            for process in family:
                _kill(process)
            self._process.wait(KILL_TIMEOUT_S)

    def log_tail(self) -> str:
        """Return the last of what it wrote."""
        try:
            text = self.program.log_path.read_bytes()[-LOG_TAIL_BYTES:]
        except OSError:
            return ""
        return text.decode(errors="replace").strip()


def _family(pid: int) -> list[psutil.Process]:
    try:
        parent = psutil.Process(pid)
        return [*parent.children(recursive=True), parent]
    except psutil.NoSuchProcess:
        return []


def _kill(process: psutil.Process) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        process.kill()
