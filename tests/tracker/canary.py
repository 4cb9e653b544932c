"""One execution with a value that must not be shown, at every place a value can get to.

`CANARY` stands at secret paths of input, parameters, metadata, definition, a step's output and an
answer; from there it was carried on under other names and quoted in sentences.
"""

from datetime import timedelta
from typing import Any, Final

from steplog_contracts import events
from steplog_contracts.payload import sha256_of
from tests.tracker.histories import BEGINNING, History, Log

CANARY: Final = "canary-7f3a9c"
# Of the same kind, but born later: in a step's output, in an answer, and as a number.
OUTPUT_CANARY: Final = "outcanary-51be\"q'é"
ANSWER_CANARY: Final = "anscanary-08dd"
NUMBER_CANARY: Final = 4111222233334444
CANARIES: Final = (
    "canary-7f3a9c",
    "outcanary-51be",
    "anscanary-08dd",
    "4111222233334444",
    "listcanary-1",
    "mapcanary-22",
    "defcanary-33",
    "shortcn",
)
SHA: Final = "ab" * 32

DEFINITION: Final[dict[str, Any]] = {
    "name": "paying",
    "secrets": ["password", "card.number", "*.token", "'dotted.key'", "deep.**.pin"],
    "parameters": [{"name": "password", "default": "listcanary-1"}],
    "outputs": [{"name": "token", "source": "defcanary-33", "default": "defcanary-33"}],
    "steps": [
        {
            "id": "a",
            "step_class": "A",
            "inputs": {"password": "mapcanary-22", "other": "mapcanary-22"},
            "config": {"card": {"number": CANARY}, "note": f"for {CANARY}"},
        },
        {
            "id": "b",
            "type": "condition",
            "condition": {"type": "expression", "config": {"password": CANARY, "value": CANARY}},
            "then": "end",
        },
    ],
    "flow": {
        "start_at": "a",
        "paths": [{"from_step": "a", "to_step": "b", "condition": {"value": CANARY, "n": 1}}],
    },
}
HASH: Final = sha256_of(DEFINITION)
_ERROR: Final = events.ErrorInfo(
    type="ValueError",
    message=f"$.pw: {CANARY} is shorter; {NUMBER_CANARY}; {OUTPUT_CANARY!r}; {ANSWER_CANARY}",
    traceback=f"line\nValueError: {CANARY} {ANSWER_CANARY}",
)

# Before anybody answered.
_EARLY_ERROR: Final = events.ErrorInfo(type="ValueError", message=f"bad: {CANARY!r}")


def the_secrets() -> dict[str, Any]:
    """Return data with a canary at each secret path, and short ones that no text may carry on."""
    return {
        "password": CANARY,
        "pw": CANARY,
        "card": {"number": NUMBER_CANARY, "year": 2030},
        "copied_number": NUMBER_CANARY,
        "token": "shortcn",
        "dotted.key": [{"x": CANARY}],
        "deep": {"er": {"still": {"pin": CANARY}}},
        "in a text": f"the password is {CANARY}.",
        CANARY: "as a key",
    }


def canary_log() -> Log:
    """Return the log: an execution that waits and fails, one that waits still, a fork, refusals."""
    log = Log()
    log.append(_failed("e-1"))
    log.append(_waiting("e-2"))
    fork = events.Origin(execution_id="e-1", kind="fork", from_step="a", at_seq=2)
    later = History("e-3", time=BEGINNING + timedelta(hours=2))
    log.append(later.started(definition_hash=HASH, input=the_secrets(), origin=fork))
    log.append(later.record(events.ExecutionCompleted(output=the_secrets(), duration_ms=1.0)))
    refusal = History("e-2")
    refused = events.CommandRefused(
        command_id="c-refused",
        command_type="steplog.command.resume_execution.v1",
        code="bad_answer",
        message=f"The answer {CANARY} does not fit.",
    )
    log.append(refusal.at(0, refused, cause="c-refused"))
    # Set aside: its execution is known, what is wrong with it may quote it.
    broken = History("e-2").at(9, events.ExecutionCompleted(output=the_secrets(), duration_ms=1))
    log.append(broken._replace(value=f'{{"output": {CANARY}'.encode()))
    return log


def _begun(history: History) -> list[Any]:
    given = the_secrets()
    return [
        history.started(
            definition=DEFINITION,
            definition_hash=HASH,
            input=given,
            parameters={"password": CANARY, "pw": CANARY},
            metadata={"password": CANARY, "pw": CANARY, "plain": "kept"},
            total_steps=2,
        ),
        history.record(events.StepStarted(step_id="a", step_name=f"A {CANARY}", input=given)),
        history.record(
            events.StepAttemptFailed(step_id="a", error=_EARLY_ERROR, retry_at=BEGINNING)
        ),
    ]


def _asked(history: History, interaction_id: str) -> list[Any]:
    return [
        history.record(events.StepCompleted(step_id="a", output={"password": OUTPUT_CANARY})),
        history.record(events.StepStarted(step_id="b", input={"other": OUTPUT_CANARY})),
        history.record(
            events.StepWaiting(
                step_id="b",
                interaction_id=interaction_id,
                prompt=f"Is {CANARY} right?",
                ui_schema={"properties": {"password": {"default": CANARY}, "x": {"title": CANARY}}},
                channels=[CANARY, {"password": "shortcn"}],
                assigned_users=[CANARY],
                output={"context": CANARY, "password": "shortcn"},
            )
        ),
    ]


def _failed(execution_id: str) -> list[Any]:
    history = History(execution_id)
    return [
        *_begun(history),
        *_asked(history, "q-1"),
        history.record(
            events.StepResumed(
                step_id="b",
                interaction_id="q-1",
                human_input={"password": ANSWER_CANARY, "again": ANSWER_CANARY},
            )
        ),
        history.record(events.StepFailed(step_id="b", error=_ERROR, duration_ms=1.0)),
        history.record(events.ExecutionFailed(error=_ERROR, duration_ms=9.0)),
    ]


def _waiting(execution_id: str) -> list[Any]:
    history = History(execution_id, time=BEGINNING + timedelta(hours=1))
    return [*_begun(history), *_asked(history, "q-2")]


def shown_in(text: str) -> list[str]:
    """Return the canaries that stand in what people are shown."""
    return [canary for canary in CANARIES if canary in text]
