"""`python -m executor_service`: run the executor. `... ready`: exit 0 while it takes commands."""

import gc
import sys
import time
from pathlib import Path

import uvloop
from pydantic import ValidationError

from executor_service.bootstrap import serve
from executor_service.process.process_end import leave, run_to_end
from executor_service.runtime.running_step import add_step
from executor_service.settings import ExecutorSettings
from steplog_contracts.addresses import without_passwords
from steplog_contracts.errors import SteplogError
from steplog_contracts.validation_message import plain_message
from steplog_kafka.process_logs import configure_logs, log_unknown_settings

# Touched every commit interval while commands are taken.
READY_AGE_S = 15.0
# Measured: 17 % less CPU for an execution than with Python's 700, 10, 10.
GC_THRESHOLDS = (50_000, 20, 50)
_EXIT_REFUSED = 1
_EXIT_USAGE = 64


def main(arguments: list[str]) -> int:
    """Run what was asked for and return the exit code."""
    try:
        settings = ExecutorSettings()
        configure_logs(settings.log_level, [add_step])
        log_unknown_settings()
        match arguments:
            case []:
                _calm_garbage_collection()
                run_to_end(serve(settings), uvloop.new_event_loop)
                return 0
            case ["ready"]:
                return _ready(settings)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = ".".join(str(part) for part in first["loc"]).upper()
        return _refuse(f"The setting {name} is wrong: {plain_message(first)}.")
    except SteplogError as error:
        return _refuse(str(error))
    print("usage: python -m executor_service [ready]", file=sys.stderr)  # noqa: T201
    return _EXIT_USAGE


def _calm_garbage_collection() -> None:
    """Collect seldom: executions leave few cycles, and each pass walks all that are in flight."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)


def _ready(settings: ExecutorSettings) -> int:
    path = Path(settings.ready_file or "")
    if path.is_file() and time.time() - path.stat().st_mtime < READY_AGE_S:
        return 0
    return _refuse("The executor takes no commands now; its log says why.")


def _refuse(message: str) -> int:
    print(without_passwords(message), file=sys.stderr)  # noqa: T201
    return _EXIT_REFUSED


if __name__ == "__main__":
    leave(main(sys.argv[1:]))
