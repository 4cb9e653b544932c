"""`steplog`: every command, and how each ends.

Exit codes: 0 done; 1 refused or failed, with one sentence on stderr; 2 the execution that was
waited for failed or was cancelled; 3 a comparison found differences; 64 the command line can't be
understood; 130 interrupted.
"""

import logging
import os
import sys
from typing import Annotated, NoReturn

import typer
from typer.exceptions import TyperException

from steplog.cli.lazy import LazyGroup
from steplog.cli.views.console import out, print_error, print_warning
from steplog.errors import ExecutionDidNotComplete
from steplog_contracts.errors import SteplogError
from steplog_contracts.setting_names import unknown_settings

EXIT_REFUSED = 1
EXIT_EXECUTION_FAILED = 2
EXIT_USAGE = 64
EXIT_INTERRUPTED = 130
NOT_AGREED = (
    "Nothing was done: the question was declined, or nobody was there to answer it; give the "
    "answer as an option (see --help)."
)
# Set it to see where a fault came from.
TRACEBACK_VARIABLE = "STEPLOG_TRACEBACK"


def _tell_version(asked: bool) -> None:
    if asked:
        # Loading it takes a while, and nothing else needs it.
        from importlib.metadata import version  # noqa: PLC0415

        out.print(f"steplog {version('steplog')}")
        raise typer.Exit


app = typer.Typer(
    name="steplog",
    cls=LazyGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(help="Pipelines whose history is the log.")
def _of_all(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            metavar=" ",
            is_eager=True,
            callback=_tell_version,
            help="Tell the version.",
        ),
    ] = False,
) -> None:
    """What is asked of no command."""


def main() -> None:
    """Run a command; what goes wrong is one sentence and an exit code, never a traceback."""
    # Client libraries report each failed attempt; the sentence at the end says it once.
    for library in ("aiokafka", "asyncio"):
        logging.getLogger(library).setLevel(logging.CRITICAL)
    for unknown in unknown_settings(os.environ):
        print_warning(unknown)
    _leave(_exit_code())


def _leave(code: int | str | None) -> NoReturn:
    """End the process; where steps ran in it, none that still runs holds it up."""
    process_end = sys.modules.get("executor_service.process.process_end")
    if process_end is not None and process_end.ran_steps():
        process_end.leave(code)
    sys.exit(code)


def _exit_code() -> int | str | None:
    try:
        code = app(prog_name="steplog", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except SystemExit as ended:
        return ended.code
    except TyperException as error:
        return _tell_usage(error)
    except ExecutionDidNotComplete as error:
        print_error(str(error))
        return EXIT_EXECUTION_FAILED
    except SteplogError as error:
        print_error(str(error))
        return EXIT_REFUSED
    except typer.Abort:
        print_error(NOT_AGREED)
        return EXIT_REFUSED
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except Exception as error:
        return _tell_fault(error)


def _tell_usage(error: TyperException) -> int:
    """Tell what the parser can't understand and where the help is."""
    told = error.format_message().replace("Value error, ", "").strip().removesuffix(".")
    if told:  # Nothing is left to say where the help was shown instead.
        context = getattr(error, "ctx", None)
        path = "steplog" if context is None else context.command_path
        print_error(f"{' '.join(told.split())}; see `{path} --help`.")
    return EXIT_USAGE


def _tell_fault(error: Exception) -> int:
    """Tell what nobody foresaw: of the system's errors the file, of our own where to look."""
    if os.environ.get(TRACEBACK_VARIABLE):
        raise error
    if isinstance(error, OSError) and error.strerror is not None:
        place = error.filename or "The system refuses"
        print_error(f"{place}: {error.strerror}; make room or give the right, then try again.")
    elif type(error).__name__ == "ValidationError":
        # What is typed in is checked where it is read; this was read from elsewhere.
        print_error(
            f"A record is of a form that this version can't read ({_first_line(error)}); use the "
            "same version as the API's."
        )
    else:
        print_error(
            f"steplog failed with {type(error).__name__}: {_first_line(error)}; "
            f"run it again with {TRACEBACK_VARIABLE}=1 to see where, and report it."
        )
    return EXIT_REFUSED


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]


if __name__ == "__main__":
    main()
