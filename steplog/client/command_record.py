"""From a command to its record: what is too large for the log is stored first."""

from dataclasses import replace

from executor_service.payload_errors import REMEDY, PayloadNotStored, PayloadTooLarge
from executor_service.payloads.claim_check import ClaimCheck
from executor_service.payloads.client import Payloads
from steplog.errors import BadInput, ServiceUnreachable
from steplog_contracts.codec import encode_command
from steplog_contracts.commands import MAX_COMMAND_WITH_VALUES_BYTES
from steplog_contracts.envelope import Record, SentCommand
from steplog_contracts.limits import MAX_VALUE_BYTES


def refuse_beyond_bound(size_bytes: int) -> None:
    """Raise `BadInput` for a command that is larger than any way to send one takes."""
    if size_bytes > MAX_COMMAND_WITH_VALUES_BYTES:
        raise BadInput(
            f"The command has {size_bytes} bytes with its input, and at most "
            f"{MAX_COMMAND_WITH_VALUES_BYTES} are taken; put what is large where steps can read "
            "it, such as a file or a bucket, and give its address."
        )


async def record_of(sent: SentCommand, payloads: Payloads) -> Record:
    """Return a command's record, its large values stored.

    Raises:
        BadInput: it is larger than the log takes, whatever is stored.
        ServiceUnreachable: the payload store does not take a value.
    """
    record = encode_command(sent)
    if len(record.value or b"") <= payloads.max_inline_bytes:
        return record
    size_bytes = len(record.value or b"")
    refuse_beyond_bound(size_bytes)
    try:
        command = await ClaimCheck(payloads).hollow(sent.command)
    except PayloadTooLarge as error:
        raise BadInput(str(error)) from error
    except PayloadNotStored as error:
        raise ServiceUnreachable(str(error)) from error
    record = encode_command(replace(sent, command=command))
    size_bytes = len(record.value or b"")
    if size_bytes > MAX_VALUE_BYTES:
        raise BadInput(
            f"The command has {size_bytes} bytes and the log takes {MAX_VALUE_BYTES}; name "
            f"the pipeline instead of sending its definition, or {REMEDY}."
        )
    return record
