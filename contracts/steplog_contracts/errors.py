"""The root of the one tree of exceptions, and what can be wrong with a record.

SteplogError
├── ValueStoredApart         a value in the payload store was used before it was fetched
└── ContractError            what crossed the wire breaks the contract
    ├── UndecodableRecord    bytes or headers that are no record of ours
    ├── UnknownRecordType    a well-formed record of a type this code does not know
    ├── UnwritablePayload    a value that has no JSON form, so it was never sent
    └── AlteredPayload       a stored payload that is not what was written
"""

from steplog_contracts.refusal_codes import RefusalCode


class SteplogError(Exception):
    """Anything steplog refuses or fails at; its text is one sentence a person can act on.

    `for_callers` is the sentence for callers of the API where the text itself may name what lies
    behind it: brokers, databases, stores, their addresses, users and files.
    """

    for_callers: str | None = None


def sentence_for_callers(error: SteplogError) -> str:
    """Return what a caller of the API may read of an error; the whole text is for the log."""
    return error.for_callers or str(error)


class ValueStoredApart(SteplogError, TypeError):
    """A value that is kept in the payload store was used as if it were here."""


class ContractError(SteplogError):
    """What crossed the wire breaks the contract."""


class UndecodableRecord(ContractError):
    """A record whose bytes or headers can't be read; `code` is stable and for programs."""

    def __init__(self, code: RefusalCode, message: str) -> None:
        super().__init__(message)
        self.code = code


class UnknownRecordType(ContractError):
    """A well-formed record of a type this code does not know.

    Not a fault: a newer writer may append it. Readers count it and go on.
    """

    def __init__(self, record_type: str) -> None:
        super().__init__(f"Record type {record_type!r} is not known to this version of steplog.")
        self.record_type = record_type


class UnwritablePayload(ContractError):
    """A value that has no JSON form; nothing was sent."""


class AlteredPayload(ContractError):
    """A stored payload whose bytes are not those its reference was made for."""
