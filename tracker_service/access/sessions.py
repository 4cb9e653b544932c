"""Sessions of people who signed in on a page: a random id in a cookie stands for their token.

Kept in this process alone: a session ends when the process does, and several API processes behind
one address each know their own, so a proxy before them has to keep a browser with one of them.
"""

import hashlib
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

SESSION_S: Final = 12 * 3600
MAX_SESSIONS: Final = 10_000
_ID_BYTES: Final = 32


class Sessions:
    """Tokens by the hash of a session's id, for `SESSION_S`; beyond the bound the oldest end."""

    def __init__(self, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._clock_s = clock_s
        self._tokens: OrderedDict[bytes, tuple[str, float]] = OrderedDict()

    def begin(self, token: str) -> str:
        """Return the id of a new session that stands for a token."""
        session_id = secrets.token_urlsafe(_ID_BYTES)
        self._tokens[_hash(session_id)] = (token, self._clock_s() + SESSION_S)
        while len(self._tokens) > MAX_SESSIONS:
            self._tokens.popitem(last=False)
        return session_id

    def token(self, session_id: str) -> str | None:
        """Return the token a session stands for, None where it has ended."""
        token, until_s = self._tokens.get(_hash(session_id), (None, 0.0))
        if token is not None and self._clock_s() >= until_s:
            self.end(session_id)
            return None
        return token

    def end(self, session_id: str) -> None:
        """End a session; one that has ended is left as it is."""
        self._tokens.pop(_hash(session_id), None)


def _hash(session_id: str) -> bytes:
    return hashlib.sha256(session_id.encode()).digest()
