"""Addresses as people are shown them: without the passwords that stand in them."""

import re
from typing import Final

_HIDDEN: Final = "***"
# A password may itself hold an @; up to the last one of the word is the safe reading.
_USER_AND_PASSWORD: Final = re.compile(r"(?P<before>\b[a-zA-Z][\w+.-]*://[^\s:/@]*:)\S*@")
_NAMED: Final = re.compile(
    r"(?P<before>\b(?:\w*(?:password|passwd|secret|token|signature)|sig|pwd)=)[^\s&;'\"]+",
    re.IGNORECASE,
)


def without_passwords(text: str) -> str:
    """Return a text in which no address, and no `password=...`, shows its password."""
    if "://" not in text and "=" not in text:
        return text
    shown = _USER_AND_PASSWORD.sub(rf"\g<before>{_HIDDEN}@", text)
    return _NAMED.sub(rf"\g<before>{_HIDDEN}", shown)
