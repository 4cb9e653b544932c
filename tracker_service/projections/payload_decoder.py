"""Payload bytes to lenses: the fast reading first, the contract's own where that fails."""

import re
from typing import Final

import msgspec

from steplog_contracts import events
from steplog_contracts.codec import decode_event
from steplog_contracts.errors import ContractError, UndecodableRecord, UnknownRecordType
from steplog_contracts.json_depth import check_depth
from steplog_contracts.payload import encode_payload
from steplog_contracts.upcasting import CHAIN
from tracker_service.projections import event_structs, undo_structs
from tracker_service.projections.column_bounds import check_bounds
from tracker_service.projections.errors import Unfoldable
from tracker_service.projections.event_structs import Lens
from tracker_service.projections.record_header import Heading

LENS_BY_EVENT: Final[dict[type[events.Event], type[Lens]]] = {
    events.ExecutionStarted: event_structs.ExecutionStartedLens,
    events.StepScheduled: event_structs.StepScheduledLens,
    events.StepStarted: event_structs.StepStartedLens,
    events.StepAttemptFailed: event_structs.StepAttemptFailedLens,
    events.StepCompleted: event_structs.StepCompletedLens,
    events.StepFailed: event_structs.StepFailedLens,
    events.StepSkipped: event_structs.StepSkippedLens,
    events.StepCancelled: event_structs.StepCancelledLens,
    events.StepWaiting: event_structs.StepWaitingLens,
    events.StepResumed: event_structs.StepResumedLens,
    events.StepChildStarted: event_structs.StepChildStartedLens,
    events.StepCompensated: undo_structs.StepCompensatedLens,
    events.ExecutionCompensating: undo_structs.ExecutionCompensatingLens,
    events.StepCompensationStarted: undo_structs.StepCompensationStartedLens,
    events.StepCompensationFailed: undo_structs.StepCompensationFailedLens,
    events.StepProgressed: event_structs.StepProgressedLens,
    events.ExecutionDeadlinePassed: event_structs.ExecutionDeadlinePassedLens,
    events.ExecutionCompleted: event_structs.ExecutionCompletedLens,
    events.ExecutionFailed: event_structs.ExecutionFailedLens,
    events.ExecutionCancelled: event_structs.ExecutionCancelledLens,
    events.CommandRefused: event_structs.CommandRefusedLens,
}
CLAIMED: Final = events.PartitionClaimed.event_type
REFUSED: Final = events.CommandRefused.event_type
STARTED: Final = events.ExecutionStarted.event_type

_DECODERS: Final = {
    event.event_type: msgspec.json.Decoder(shape) for event, shape in LENS_BY_EVENT.items()
}
_NAMING_AN_ERROR: Final = (
    event_structs.StepAttemptFailedLens,
    event_structs.StepFailedLens,
    event_structs.ExecutionFailedLens,
)
_VERSION = re.compile(r"\.v\d+$")
_KNOWN_NAMES: Final = frozenset(_VERSION.sub("", kind) for kind in events.EVENT_CLASS_BY_TYPE)


def is_unknown_kind(kind: str) -> bool:
    """Whether this code knows nothing of the kind at all, so that ignoring it is right.

    An unknown version of a known kind is not ignored: rows without it would be wrong.
    """
    if kind in _DECODERS or kind in CHAIN or kind == CLAIMED:
        return False
    return _VERSION.sub("", kind) not in _KNOWN_NAMES


def read_payload(heading: Heading) -> Lens:
    """Return the payload through its lens.

    Raises:
        Unfoldable: neither the lens nor the contract can read it.
    """
    decoder = _DECODERS.get(heading.kind)
    if decoder is not None:
        try:
            check_depth(heading.value)
            # Whole and now: text cut out of it later can't turn out not to be UTF-8.
            heading.value.decode()
            return _checked(decoder.decode(heading.value), heading)
        except UnicodeDecodeError as error:
            raise Unfoldable("bad_json", f"The payload is not UTF-8: {error}.") from error
        except UndecodableRecord as error:
            raise Unfoldable(error.code, str(error)) from error
        except msgspec.MsgspecError:
            pass
    return _by_contract(heading)


def _checked(payload: Lens, heading: Heading) -> Lens:
    # Folds change a state step by step, so what they take apart later is looked at before.
    error = getattr(payload, "error", event_structs.NULL)
    if error != event_structs.NULL:
        event_structs.error_of(error)
    elif isinstance(payload, _NAMING_AN_ERROR):
        raise msgspec.ValidationError("error: Expected an object")
    check_bounds(payload, heading.execution_id)
    return payload


def _by_contract(heading: Heading) -> Lens:
    # The contract accepts more than the lens (numbers sent as text, old versions); it decides.
    attributes = [
        ("ce_type", heading.kind.encode()),
        ("ce_id", b"-"),
        ("ce_source", b"-"),
        ("ce_subject", heading.execution_id.encode()),
        ("ce_time", heading.time.isoformat().encode()),
    ]
    try:
        event = decode_event(heading.value, attributes).event
        return _checked(_DECODERS[event.event_type].decode(encode_payload(event)), heading)
    except UnknownRecordType as error:
        raise Unfoldable(
            "unknown_version",
            f"{heading.kind} is newer than this tracker; upgrade it, then retry the dead letter.",
        ) from error
    except UndecodableRecord as error:
        raise Unfoldable(error.code, str(error)) from error
    except (RecursionError, ValueError, ContractError) as error:
        raise Unfoldable("bad_payload", f"The payload can't be read: {error}.") from error
