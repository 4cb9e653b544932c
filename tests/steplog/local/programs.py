"""Small programs to run as children."""

import sys
from pathlib import Path

from steplog.local.child import Program

SLEEPS = "import time; print('awake', flush=True); time.sleep(60)"
DEAF = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    "print('awake', flush=True); time.sleep(60)"
)


def python_program(folder: Path, code: str, *, stop_timeout_s: float = 5.0) -> Program:
    """Return a program of a line of Python."""
    argv = (sys.executable, "-c", code)
    return Program("sleeper", argv, folder / "sleeper.log", stop_timeout_s=stop_timeout_s)
