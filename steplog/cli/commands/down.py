"""`steplog down`: stop the local stack."""

import os
import signal
import time
from contextlib import suppress

import psutil

from steplog.cli.inputs.options import DataDir, settings_with
from steplog.cli.views.console import out
from steplog.errors import LocalError, StackBusy
from steplog.local.data_folder import DataFolder

STOP_TIMEOUT_S = 60.0
EXIT_TIMEOUT_S = 5.0
POLL_S = 0.1


def down(data_dir: DataDir = None) -> None:
    """Stop the local stack, in order, and return once nothing of it runs; its data stays.

    $ steplog down
    """
    folder = DataFolder(settings_with(data_dir).data_dir)
    state = folder.read_state()
    if not folder.is_held() or state is None:
        raise StackBusy(f"No stack runs in {folder.root}, so there is nothing to stop.")
    with suppress(ProcessLookupError):
        os.kill(state.supervisor_pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_TIMEOUT_S
    while folder.is_held():
        if time.monotonic() > deadline:
            raise LocalError(
                f"The stack has not stopped within {STOP_TIMEOUT_S:.0f} s; see the logs in "
                f"{folder.logs}, or end process {state.supervisor_pid} yourself."
            )
        time.sleep(POLL_S)
    # It has let go of the folder and only has to end itself.
    with suppress(psutil.NoSuchProcess, psutil.TimeoutExpired):
        psutil.Process(state.supervisor_pid).wait(EXIT_TIMEOUT_S)
    out.print("Stopped; nothing is left running.")
