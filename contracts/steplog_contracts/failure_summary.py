"""The one sentence that a failure is shown by, wherever people read of it.

`load: KeyError: 'city' (weather.py, line 9)`: the step, the kind of error, what it said, and the
last line of the user's own code that it passed.
"""

import re
from typing import Any, Final

# As `traceback.format_list` writes a frame.
_FRAME: Final = re.compile(r'File "(?P<file>[^"]+)", line (?P<line>\d+)')
_FOLDERS: Final = re.compile(r"^.*[/\\]")


def failure_summary(message: str | None, error_info: Any) -> str | None:
    """Return what a failed execution or step is shown by, None where nothing failed.

    Args:
        message: the row's `error_message`.
        error_info: the recorded `ErrorInfo` as JSON; None where a row has none.
    """
    if message is None:
        return None
    if not isinstance(error_info, dict):
        return message
    kind = str(error_info.get("type") or "").rpartition(".")[2]
    step_id, place = error_info.get("step_id"), failure_place(error_info.get("traceback"))
    text = message if not kind or message.startswith(kind) else f"{kind}: {message}"
    named = f"{step_id}: {text}" if step_id else text
    return f"{named} ({place})" if place else named


def failure_place(traceback: Any) -> str | None:
    """Return the file and line of the last frame of a recorded traceback."""
    if not isinstance(traceback, str):
        return None
    frames = list(_FRAME.finditer(traceback))
    if not frames:
        return None
    return f"{_FOLDERS.sub('', frames[-1]['file'])}, line {frames[-1]['line']}"
