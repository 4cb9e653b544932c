"""`steplog`: every command, and how each ends.

Exit codes: 0 done; 1 refused or failed, with one sentence on stderr; 2 the execution that was
waited for failed or was cancelled; 3 a comparison found differences; 64 the command line can't be
understood; 130 interrupted.
"""

import logging
import os
import sys

import typer

from contracts.errors import SteplogError
from steplog.cli.console import print_error
from steplog.cli.lazy import LazyGroup
from steplog.errors import ExecutionDidNotComplete

EXIT_REFUSED = 1
EXIT_EXECUTION_FAILED = 2
EXIT_USAGE = 64
EXIT_INTERRUPTED = 130
# Set it to see where a fault came from.
TRACEBACK_VARIABLE = "STEPLOG_TRACEBACK"
# What the argument parser says for a command line it can't understand.
_PARSER_USAGE = 2

# Where each command is, in the order people read them. A module is loaded when its command is
# called, since loading all of them takes longer than most commands do.
COMMANDS = {
    "up": "steplog.cli.up:up",
    "status": "steplog.cli.status:status",
    "down": "steplog.cli.down:down",
    "check": "steplog.cli.check:check",
    "run": "steplog.cli.run:run",
    "cancel": "steplog.cli.cancel:cancel",
    "resume": "steplog.cli.resume:resume",
    "retry": "steplog.cli.retry:retry",
    "fork": "steplog.cli.fork:fork",
    "replay-definition": "steplog.cli.replay_definition:replay_definition",
    "ls": "steplog.cli.ls:ls",
    "show": "steplog.cli.show:show",
    "events": "steplog.cli.events:events",
    "export": "steplog.cli.export:export",
    "import": "steplog.cli.import_archives:import_files",
    "watch": "steplog.cli.watch:watch",
    "top": "steplog.cli.top:top",
    "lag": "steplog.cli.lag:lag",
    "move": "steplog.cli.move:move",
    "prune": "steplog.cli.prune:prune",
    "rebuild": "steplog.cli.rebuild:rebuild",
    "verify": "steplog.cli.verify:verify",
    "diff-projection": "steplog.cli.diff_projection:diff_projection",
    "token": "steplog.cli.token:app",
    "dead-letters": "steplog.cli.dead_letters:app",
    "topics": "steplog.cli.topics:app",
}


class LazyCommands(LazyGroup):
    """The group of `COMMANDS`."""

    places = COMMANDS


app = typer.Typer(
    name="steplog",
    cls=LazyCommands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(help="Pipelines whose history is the log.")
def _of_all() -> None:
    """There are no options that all commands share."""


def main() -> None:
    """Run a command; what goes wrong is one sentence and an exit code, never a traceback."""
    # Client libraries report each failed attempt; the sentence at the end says it once.
    for library in ("aiokafka", "asyncio"):
        logging.getLogger(library).setLevel(logging.CRITICAL)
    sys.exit(_exit_code())


def _exit_code() -> int | str | None:
    try:
        app()
    except SystemExit as ended:
        return EXIT_USAGE if ended.code == _PARSER_USAGE else ended.code
    except ExecutionDidNotComplete as error:
        print_error(str(error))
        return EXIT_EXECUTION_FAILED
    except SteplogError as error:
        print_error(str(error))
        return EXIT_REFUSED
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except Exception as error:
        return _tell_fault(error)
    return 0


def _tell_fault(error: Exception) -> int:
    """Tell what nobody foresaw: of the system's errors the file, of our own where to look."""
    if os.environ.get(TRACEBACK_VARIABLE):
        raise error
    if isinstance(error, OSError) and error.strerror is not None:
        place = error.filename or "The system refuses"
        print_error(f"{place}: {error.strerror}; make room or give the right, then try again.")
    else:
        print_error(
            f"steplog failed with {type(error).__name__}: {error}; "
            f"run it again with {TRACEBACK_VARIABLE}=1 to see where, and report it."
        )
    return EXIT_REFUSED


if __name__ == "__main__":
    main()
