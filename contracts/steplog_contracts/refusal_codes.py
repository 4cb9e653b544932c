"""The codes of refusals: stable, for programs, and each with its meaning for people.

`docs/refusals.md` is generated from here.
"""

from enum import StrEnum
from typing import Self


class RefusalCode(StrEnum):
    """Why a command or a record was refused; `meaning` says it in half a sentence."""

    meaning: str

    def __new__(cls, code: str, meaning: str) -> Self:
        """Make a code that compares as its text."""
        self = str.__new__(cls, code)
        self._value_ = code
        self.meaning = meaning
        return self

    DUPLICATE_EXECUTION = "duplicate_execution", "an execution of that id exists"
    DUPLICATE_COMMAND = (
        "duplicate_command",
        "this very command was carried out before, or its id was used for another execution",
    )
    COMMAND_STUCK = (
        "command_stuck",
        "processes died three times while they took it; it is not tried again",
    )
    COMMAND_SKIPPED = "command_skipped", "a person had it skipped with `steplog commands skip`"
    NO_DEFINITION = (
        "no_definition",
        "the execution was recorded without its definition, so it can't be retried or forked",
    )
    HISTORY_REMOVED = (
        "history_removed",
        "it may have been carried out before; retention removed the events that would tell",
    )
    KEY_ELSEWHERE = (
        "key_elsewhere",
        "the execution's id is not in the partition of its concurrency key",
    )
    NOT_STARTED = "not_started", "an answer to an execution that still waits for room"
    INTERNAL_ERROR = "internal_error", "a fault of the executor; its log has more"
    BAD_DEFINITION = "bad_definition", "the definition can't be run; the text says where and why"
    BAD_INPUT = (
        "bad_input",
        "the input does not fit the definition's `input_schema`, or can't be used",
    )
    UNKNOWN_PIPELINE = (
        "unknown_pipeline",
        "no definition of that name lies in the executor's folder",
    )
    BAD_COMMAND = "bad_command", "the command lacks what it needs, such as a pipeline to run"
    BAD_JSON = "bad_json", "the record's value is no JSON"
    BAD_PAYLOAD = "bad_payload", "the record's value breaks its schema"
    BAD_HEADER = "bad_header", "a header of the record can't be read"
    MISSING_HEADER = "missing_header", "the record lacks a header"
    TOO_DEEP = "too_deep", "arrays and objects of the record nest too deep"
    UNKNOWN_COMMAND = "unknown_command", "this version does not know the command"
    UNSUPPORTED_COMMAND = "unsupported_command", "this version does not carry the command out"
    PAYLOAD_NOT_STORED = (
        "payload_not_stored",
        "a value of the command is too large for the log and could not be stored",
    )
    PAYLOAD_MISSING = "payload_missing", "the command refers to a stored value that is not there"
    PAYLOAD_ALTERED = (
        "payload_altered",
        "the command refers to a stored value that is not what was written",
    )
    WRONG_PARTITION = (
        "wrong_partition",
        "the record was not keyed by the execution id with the murmur2 partitioner",
    )
    EXECUTION_ENDED = (
        "execution_ended",
        "the execution has ended and stays as it is; it can be retried or forked",
    )
    UNKNOWN_EXECUTION = "unknown_execution", "nothing of that id runs"
    UNKNOWN_STEP = "unknown_step", "a fork names a step its origin does not have"
    STEP_NOT_REACHED = "step_not_reached", "a fork names a step its origin never came to"
    RESULT_UNDONE = (
        "result_undone",
        "a fork would take over a result that was undone since; it has to begin earlier",
    )
    PATCH_WITHOUT_EFFECT = "patch_without_effect", "a fork's patch changes nothing that runs"
    NOT_FAILED = "not_failed", "a retry of what completed"
    NOT_ENDED = "not_ended", "a retry or fork of what still runs"
    ALREADY_CANCELLED = "already_cancelled", "the execution is being cancelled"
    NOT_WAITING = "not_waiting", "no step of the execution waits for a person"
    STEP_REQUIRED = "step_required", "several steps wait; the answer has to name one"
    ALREADY_ANSWERED = "already_answered", "the question was answered before"
    WAIT_EXPIRED = "wait_expired", "the question's time was over"
    EXECUTION_HELD = (
        "execution_held",
        "the execution can't go on in this executor, the text says why; cancelling it needs "
        "no code and is carried out",
    )
    ANSWER_REFUSED = (
        "answer_refused",
        "an answer that does not fit the question's form or the step's `output_schema`; the "
        "text has a reason for each field, and the step still waits",
    )
    NOT_ASSIGNED = (
        "not_assigned",
        "an answer from somebody the question is not for: [access.md](access.md)",
    )
