"""What a command does before it runs embedded mode in its own process."""

import sys
from pathlib import Path

from executor_service.runtime.running_step import add_step
from steplog_kafka.process_logs import configure_logs


def prepare(file: Path) -> None:
    """Find step modules where people stand, keep the log to warnings, make the file's folder."""
    # As `python -m` does; a program that was installed looks elsewhere only.
    sys.path.insert(0, str(Path.cwd()))
    configure_logs("WARNING", [add_step])
    # What can't be made is told by the opening of the file, with the remedy.
    file.parent.mkdir(parents=True, exist_ok=True)
