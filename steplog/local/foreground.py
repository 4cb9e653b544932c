"""Run one server until Ctrl-C, for a look at it alone."""

import sys
import time

from steplog.local.interrupts import interrupt_on_stop_signals
from steplog.local.server import READY_INTERVAL_S, Server, start_server


def run_in_foreground(server: Server) -> int:
    """Run a server until Ctrl-C or SIGTERM; print its address once it answers."""
    interrupt_on_stop_signals()
    running = start_server(server)
    sys.stdout.write(f"{server.address}\n")
    sys.stdout.flush()
    try:
        while running.exit_code is None:
            time.sleep(READY_INTERVAL_S)
    except KeyboardInterrupt:
        running.stop()
        return 0
    return running.exit_code
