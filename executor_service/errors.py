"""What the executor refuses or fails at.

SteplogError
└── ExecutorError
    ├── DefinitionRefused       a definition that breaks a rule, with everything wrong in it
    ├── InputRefused            a run input that breaks the definition's schema or parameters
    ├── CommandNotApplicable    a cancel or resume that the execution's state does not allow
    ├── RecordingLost           this process may no longer write this execution
    │   └── LogLostRecords      the log does not hold any more what it had acknowledged
    ├── RunFailed               what `Pipeline.run` raises when the execution failed
    ├── RunCancelled            what `Pipeline.run` raises when the execution was cancelled
    ├── TerminalError           raised by a step: do not try this again
    └── StepProblem             an attempt failed for a reason of ours, not of the step's code
        ├── InvalidWait         a wait that leads to no time
        ├── HostNotAllowed      a request to where none may go
        ├── HttpFailed          a request without an answer that can be used
        ├── StepTimedOut        it took longer than `timeout_seconds` (also a TimeoutError)
        │   └── StepSilent      nothing was heard of it for `heartbeat_timeout_seconds`
        ├── WaitExpired         nobody answered in time
        ├── ResultNotJson       its result, or something inside it, is no JSON
        ├── SchemaMismatch      its result breaks the declared schema
        │   └── InputMismatch   what it was given breaks it
        ├── Unresolved          a template or a required source leads nowhere
        ├── TextTooLong         templates put more text together than a value may have
        ├── ConditionFailed     a condition could not be evaluated
        ├── ExecutionTimedOut   the execution took longer than its `timeout_seconds`
        ├── DeadlinePassed      its deadline passed, or is no time
        ├── StartedTooLate      its turn came later than `start_within_seconds`
        ├── AttemptOver         raised in an attempt that is over and still calls heartbeat()
        ├── LoopBoundExceeded   a step was to run more often, or longer, than its loop may
        └── AttemptsLost        the process died under it too often
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from steplog_contracts.errors import SteplogError
from steplog_contracts.events import ErrorInfo
from steplog_contracts.payload import JsonObject
from steplog_contracts.refusal_codes import RefusalCode

# Of a refusal, which stands in the log; what reads the definition shows all of them.
MAX_PROBLEMS_SHOWN = 10
MAX_PROBLEM_CHARS = 400
# Of those that have the same problem.
MAX_PLACES_SHOWN = 3


class ExecutorError(SteplogError):
    """Anything the executor refuses or fails at."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a definition: where, what, and what to do about it."""

    json_path: str  # Such as `$.flow.paths[2].condition.operator`.
    message: str
    hint: str = ""
    severity: Literal["error", "warning"] = "error"

    def __str__(self) -> str:
        return f"{self.json_path}: {self.message}" + (f" ({self.hint})" if self.hint else "")


class DefinitionRefused(ExecutorError):
    """A definition that can't be given a meaning; `problems` holds everything wrong at once."""

    def __init__(self, problems: Sequence[Problem], warnings: Sequence[Problem] = ()) -> None:
        super().__init__(_refusal(_alike(problems)))
        self.problems = tuple(problems)
        self.warnings = tuple(warnings)


def _refusal(alike: Sequence[str]) -> str:
    """Return one problem behind the refusal, several of them below it, a line for each."""
    shown = [_shortened(text) for text in alike[:MAX_PROBLEMS_SHOWN]]
    if len(alike) <= 1:
        return " ".join(["The definition is refused.", *shown])
    if len(alike) > len(shown):
        shown.append(f"and {len(alike) - len(shown)} more; `steplog check FILE` shows all.")
    return "\n  ".join([f"The definition is refused. It has {len(alike)} problems:", *shown])


def _shortened(text: str) -> str:
    return text if len(text) <= MAX_PROBLEM_CHARS else f"{text[: MAX_PROBLEM_CHARS - 1]}…"


def _alike(problems: Sequence[Problem]) -> list[str]:
    """Return each problem once, with the places it has: seven steps of one module are one."""
    places: dict[tuple[str, str], list[str]] = {}
    for problem in problems:
        places.setdefault((problem.message, problem.hint), []).append(problem.json_path)
    return [
        str(Problem(_listed(found), message, hint)) for (message, hint), found in places.items()
    ]


def _listed(places: Sequence[str]) -> str:
    """Return places as people list them, the first few by name."""
    more = len(places) - MAX_PLACES_SHOWN
    named = [*places[:MAX_PLACES_SHOWN], *([f"{more} more"] if more > 0 else [])]
    return named[0] if len(named) == 1 else f"{', '.join(named[:-1])} and {named[-1]}"


class InputRefused(ExecutorError):
    """A run input that breaks the input schema, or lacks a required parameter."""


class CommandNotApplicable(ExecutorError):
    """A command that the execution's state does not allow; `code` is for programs."""

    def __init__(self, code: RefusalCode, message: str) -> None:
        super().__init__(message)
        self.code = code


class RecordingLost(ExecutorError):
    """This process may no longer write this execution; another one goes on with it."""


class LogLostRecords(RecordingLost):
    """The log lost records it had acknowledged, or was replaced; what is in it has to be read."""


class RunFailed(ExecutorError):
    """The execution failed. `error` is what is on record, `result` what had been reached."""

    def __init__(self, error: ErrorInfo, result: JsonObject) -> None:
        super().__init__(f"{error.type}: {error.message}")
        self.error = error
        self.result = result


class RunCancelled(ExecutorError):
    """The execution was cancelled; `result` holds what had been reached."""

    def __init__(self, reason: str, result: JsonObject) -> None:
        super().__init__(f"The execution was cancelled: {reason or 'no reason given'}.")
        self.result = result


class TerminalError(ExecutorError):
    """Raised by a step to say: trying again can't help. Never retried."""


class FailedByFlow(TerminalError):
    """A step of type `fail`; its own class has the name that the definition gives."""


class StepProblem(ExecutorError):
    """An attempt failed for a reason that steplog found, not the step's own code.

    `terminal` problems would come out the same again, so they are never retried.
    """

    terminal = False


class InvalidWait(StepProblem):
    """A `wait` whose settings lead to no time."""

    terminal = True


class HostNotAllowed(StepProblem):
    """A request was to go where none may."""

    terminal = True


class HttpFailed(StepProblem):
    """A request had no answer, or one that is worth another try."""


class HttpStatusFailed(HttpFailed):
    """A request was answered, and another one would be answered alike."""

    terminal = True


class TopicNotAllowed(StepProblem):
    """A record was to be written where none may."""

    terminal = True


class RecordNotSent(StepProblem):
    """A record was not taken by a broker in time; it may be in its topic all the same."""


class RecordRefused(RecordNotSent):
    """A record can't be written, and another try would come out the same."""

    terminal = True


class StepTimedOut(StepProblem, TimeoutError):
    """An attempt took longer than `timeout_seconds`."""


class StepSilent(StepTimedOut):
    """Nothing was heard of an attempt for `heartbeat_timeout_seconds`."""


class ExecutionTimedOut(StepProblem):
    """The execution took longer than its `timeout_seconds`."""


class DeadlinePassed(StepProblem):
    """The execution's deadline passed, or what was given as one is no time."""


class StartedTooLate(StepProblem):
    """The execution's turn came later than `start_within_seconds` allows."""


class AttemptOver(StepProblem):
    """Raised by heartbeat() in the code of an attempt that has ended, so that it ends too."""

    terminal = True


class WaitExpired(StepProblem):
    """Nobody answered before the wait expired."""


class ResultNotJson(StepProblem):
    """A step's result, or something inside it, is not JSON; the key path is in the message."""


class SchemaMismatch(StepProblem):
    """A step's result, or the pipeline's output, breaks the declared schema."""


class InputMismatch(SchemaMismatch):
    """What a step was given breaks its input_schema."""

    terminal = True


class Unresolved(StepProblem):
    """A template or a required source leads nowhere."""

    terminal = True


class ExpressionRefused(ExecutorError):
    """A template that is no reference and no expression."""


class ExpressionFailed(StepProblem):
    """A template works on a value of another type than it takes."""

    terminal = True


class TextTooLong(StepProblem):
    """Templates put more text together than a value may have."""

    terminal = True


class ConditionFailed(StepProblem):
    """A condition could not be evaluated, so the flow can't go on from there."""


class LoopBoundExceeded(StepProblem):
    """A step was to run more often, or for longer, than `loop_config` allows."""


class ChildRefused(StepProblem):
    """Another pipeline can't be run from here."""

    terminal = True


class AttemptsLost(StepProblem):
    """The process died under the step too often to try again."""
