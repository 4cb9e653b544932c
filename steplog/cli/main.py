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
from steplog.cli import (
    cancel,
    check,
    dead_letters,
    diff_projection,
    down,
    events,
    export,
    fork,
    import_archives,
    lag,
    ls,
    move,
    prune,
    rebuild,
    replay_definition,
    resume,
    retry,
    run,
    show,
    status,
    token,
    top,
    topics,
    up,
    verify,
    watch,
)
from steplog.cli.console import print_error
from steplog.errors import ExecutionDidNotComplete

EXIT_REFUSED = 1
EXIT_EXECUTION_FAILED = 2
EXIT_USAGE = 64
EXIT_INTERRUPTED = 130
# Set it to see where a fault came from.
TRACEBACK_VARIABLE = "STEPLOG_TRACEBACK"
# What the argument parser says for a command line it can't understand.
_PARSER_USAGE = 2

app = typer.Typer(
    name="steplog",
    help="Pipelines whose history is the log.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("up")(up.up)
app.command("status")(status.status)
app.command("down")(down.down)
app.command("check")(check.check)
app.command("run")(run.run)
app.command("cancel")(cancel.cancel)
app.command("resume")(resume.resume)
app.command("retry")(retry.retry)
app.command("fork")(fork.fork)
app.command("replay-definition")(replay_definition.replay_definition)
app.command("ls")(ls.ls)
app.command("show")(show.show)
app.command("events")(events.events)
app.command("export")(export.export)
app.command("import")(import_archives.import_files)
app.command("watch")(watch.watch)
app.command("top")(top.top)
app.command("lag")(lag.lag)
app.command("move")(move.move)
app.command("prune")(prune.prune)
app.command("rebuild")(rebuild.rebuild)
app.command("verify")(verify.verify)
app.command("diff-projection")(diff_projection.diff_projection)
app.add_typer(token.app, name="token")
app.add_typer(dead_letters.app, name="dead-letters")
app.add_typer(topics.app, name="topics")


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
