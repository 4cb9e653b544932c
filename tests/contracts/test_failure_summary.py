"""A failure is shown by its step, its kind, what it said and where."""

from typing import Any

import pytest

from steplog_contracts.failure_summary import failure_summary

TRACEBACK = (
    '  File "/srv/app/weather.py", line 4, in run\n    return clean(data)\n'
    '  File "/srv/app/cleaning.py", line 9, in clean\n    data["city"]\n'
)


@pytest.mark.parametrize(
    ("message", "info", "shown"),
    [
        (None, None, None),
        ("boom", None, "boom"),
        ("'city'", {"type": "KeyError", "step_id": "load", "traceback": TRACEBACK},
         "load: KeyError: 'city' (cleaning.py, line 9)"),
        ("no such city", {"type": "weather.errors.NoCity", "step_id": "load"},
         "load: NoCity: no such city"),
        ("KeyError", {"type": "KeyError", "step_id": "load"}, "load: KeyError"),
        ("It went past its bound.", {"type": "LoopBoundExceeded"},
         "LoopBoundExceeded: It went past its bound."),
        ("x", {"type": "E", "traceback": r'  File "C:\app\steps.py", line 3, in run'},
         "E: x (steps.py, line 3)"),
        ("odd", {"type": 7, "step_id": None, "traceback": ["no text"]}, "7: odd"),
        ("odd", ["no object"], "odd"),
    ],
)  # fmt: skip
def test_a_failure_names_step_kind_message_and_place(
    message: str | None, info: Any, shown: str | None
) -> None:
    assert failure_summary(message, info) == shown
