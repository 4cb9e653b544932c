"""Values as people read them, for templates: durations, amounts, JSON, states."""

import json
from collections.abc import Mapping
from typing import Any, Final

from steplog_contracts.answer_form import assigned_to
from steplog_contracts.failure_summary import failure_summary
from steplog_contracts.records import steps_to_complete
from steplog_contracts.stored_value import StoredValue

SIGNS: Final[Mapping[str, str]] = {
    "completed": "✓",
    "failed": "✗",
    "running": "●",
    "pending": "○",
    "waiting_for_human": "?",
    "compensating": "↶",
    "paused": "‖",
    "cancelled": "■",
    "skipped": "-",
    "not_reached": "·",
}
# A viewer opens values one by one; beyond these bounds the API has the whole.
MAX_TREE_ITEMS: Final = 500
MAX_TEXT_CHARS: Final = 20_000


def duration(milliseconds: float | None) -> str:
    """Return a duration: `< 0.1 ms`, `0.8 ms`, `132 ms`, `4.21 s`, `3 min 20 s`, `5 h 2 min`."""
    if milliseconds is None:
        return "-"
    if milliseconds < 0.1:
        return "< 0.1 ms"
    if milliseconds < 10:
        return f"{milliseconds:.1f} ms"
    if milliseconds < 1000:
        return f"{milliseconds:.0f} ms"
    seconds = milliseconds / 1000
    if seconds < 60:
        return f"{seconds:.2f} s"
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def amount(number: float) -> str:
    """Return a count with its thousands apart."""
    return f"{number:,.0f}".replace(",", "\u202f")  # A narrow space, as ISO 80000 asks.


def share(part: float) -> str:
    """Return a share as a percentage, never 0 % or 100 % where it isn't."""
    if 0 < part < 0.001:
        return "< 0.1 %"
    if 0.999 < part < 1:
        return "> 99.9 %"
    return f"{part * 100:.1f} %"


def sign(status: str) -> str:
    """Return a state's sign, so that colour is never all that tells it."""
    return SIGNS.get(status, "·")


def words(status: str) -> str:
    """Return a state in words."""
    return status.replace("_", " ")


def kind(value: Any) -> str:
    """Return how a JSON value is shown: `object`, `array`, `text`, `literal` or `stored`."""
    match value:
        case StoredValue():
            return "stored"
        case dict():
            return "object"
        case list():
            return "array"
        case str():
            return "text"
    return "literal"


def items(value: Mapping[str, Any] | list[Any]) -> list[tuple[str, Any]]:
    """Return the first members of an object or array, with their keys or places."""
    pairs = value.items() if isinstance(value, Mapping) else enumerate(value)
    return [(str(key), one) for (key, one), _ in zip(pairs, range(MAX_TREE_ITEMS), strict=False)]


def literal(value: Any) -> str:
    """Return a JSON value as text on one line."""
    return json.dumps(value, ensure_ascii=False)


def shortened(text: str) -> str:
    """Return text cut at a bound, with how much is left out."""
    more = len(text) - MAX_TEXT_CHARS
    return text if more <= 0 else f"{text[:MAX_TEXT_CHARS]}… ({more} more characters)"


def failure(failed: Mapping[str, Any]) -> str:
    """Return what a failed execution or step is shown by, empty where nothing failed."""
    return failure_summary(failed["error_message"], failed.get("error_info")) or ""


def steps_in_all(execution: Mapping[str, Any]) -> int:
    """Return how many steps an execution has to complete."""
    counts = (execution["completed_steps"], execution["failed_steps"], execution["total_steps"])
    return steps_to_complete(execution["status"], *counts)


FILTERS: Final = {
    "steps_in_all": steps_in_all,
    "failure": failure,
    "duration": duration,
    "amount": amount,
    "share": share,
    "sign": sign,
    "words": words,
    "kind": kind,
    "members": items,
    "literal": literal,
    "shortened": shortened,
    "names": assigned_to,
}
