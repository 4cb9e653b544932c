"""Bodies of answers, masked: which execution each part is of, and which of it people wrote."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from msgspec import Raw

from tracker_service.http_api.masking.mask import Mask

# Users' JSON that stands in bodies as values; else it comes as text (`Raw`).
_VALUES: Final = frozenset({"definition", "condition"})
# Pointers into payloads, with no value in them.
_PLACES: Final = frozenset({"references"})
# What programs go by: a secret that reads like a status must not change one.
_KEYS: Final = frozenset(
    {
        *("status", "type", "kind", "step_type", "fork_kind", "fork_step", "recorded_type"),
        *("position", "from_step", "to_step", "start_at", "state", "told_from", "next_cursor"),
        *("current_step", "forked_from", "topic"),
    }
)
_KEY_ENDS: Final = ("_id", "_at", "_hash")


def rows_in(body: Any) -> Iterator[Mapping[str, Any]]:
    """Yield the rows in a body: what says which execution it is of."""
    if isinstance(body, dict):
        if _is_row(body):
            yield body
        for name, part in body.items():
            if name not in _VALUES:
                yield from rows_in(part)
    elif isinstance(body, list):
        for part in body:
            yield from rows_in(part)


def masked_body(body: Any, masks: Mapping[str, Mask], mask: Mask) -> Any:
    """Return a body in which each row is masked by its execution's mask, others by `mask`."""
    if isinstance(body, list):
        return [masked_body(part, masks, mask) for part in body]
    if not isinstance(body, dict):
        return body
    own = masks.get(body["execution_id"], mask) if _is_row(body) else mask
    return {name: _part(name, part, masks, own) for name, part in body.items()}


def _part(name: str, part: Any, masks: Mapping[str, Mask], mask: Mask) -> Any:
    if isinstance(part, dict | list) and name not in _VALUES:
        return masked_body(_sentences(part, mask), masks, mask)
    if not mask or name in _PLACES:
        return part
    if isinstance(part, Raw):
        return mask.text(part)
    if name in _VALUES:
        return mask.value(part)
    if isinstance(part, str) and name not in _KEYS and not name.endswith(_KEY_ENDS):
        return mask.sentence(part)
    return part


def _sentences(part: Any, mask: Mask) -> Any:
    if mask and isinstance(part, list):
        return [mask.sentence(one) if isinstance(one, str) else one for one in part]
    return part


def _is_row(body: Mapping[str, Any]) -> bool:
    return isinstance(body.get("execution_id"), str)
