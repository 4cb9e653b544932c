"""The text of an exception as a record takes it: cut to a length, with a UTF-8 form."""

from typing import Final

from executor_service.engine import exception_facts

# Of what is recorded of a refusal: a text that quotes its command must still fit into the log.
MAX_TEXT_CHARS: Final = 5_000


def text_of(error: BaseException) -> str:
    """Return an exception's text, cut to what a record takes."""
    return cut(exception_facts.text_of(error))


def cut(text: str, at_most: int = MAX_TEXT_CHARS) -> str:
    """Return a text that a record takes: not too long, and with a UTF-8 form."""
    shown = text if len(text) <= at_most else f"{text[:at_most]}..."
    return shown.encode(errors="backslashreplace").decode()
