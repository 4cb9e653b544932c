"""Bearer tokens: made here, kept only as hashes, read from a file or the environment.

A line is `NAME ROLE SHA256 [EXPIRES]`. Tokens are 256 random bits, so a plain SHA-256 of one tells
nothing about it and can be looked up at once.
"""

import hashlib
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import structlog

from tracker_service.access.roles import AccessRefused, Caller, NotKnown, Role

PREFIX: Final = "slt_"
TOKEN_BYTES: Final = 32
MAX_TOKEN_CHARS: Final = 200
MAX_TOKENS: Final = 10_000
GONE_AFTER_S: Final = 30.0
READ_EVERY_S: Final = 2.0

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class KnownToken:
    """What a line says of a token."""

    caller: Caller
    expires_at: datetime | None = None


Tokens = Mapping[str, KnownToken]


def new_token() -> str:
    """Return a token nobody can guess."""
    return PREFIX + secrets.token_urlsafe(TOKEN_BYTES)


def token_line(token: str, name: str, role: Role, expires_at: datetime | None = None) -> str:
    """Return the line that makes a token known."""
    parts = [name, role.name.lower(), hash_of(token)]
    if expires_at is not None:
        parts.append(expires_at.astimezone(UTC).isoformat(timespec="seconds"))
    return " ".join(parts)


def hash_of(token: str) -> str:
    """Return what is kept of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


def read_tokens(text: str, source: str) -> Tokens:
    """Return the tokens of lines; `#` begins a comment, and `;` ends a line as a break does.

    Raises:
        AccessRefused: a line is none; the text says which.
    """
    found: dict[str, KnownToken] = {}
    for number, line in enumerate(text.replace(";", "\n").splitlines(), 1):
        words = line.partition("#")[0].split()
        if words:
            digest, known = _read_line(words, f"{source}, line {number}")
            found[digest] = known
    if len(found) > MAX_TOKENS:
        raise AccessRefused(f"{source} has more than {MAX_TOKENS} tokens; remove those not used.")
    return found


def _read_line(words: list[str], where: str) -> tuple[str, KnownToken]:
    if len(words) not in {3, 4}:
        raise AccessRefused(
            f"{where} is not NAME ROLE SHA256 [EXPIRES]; make one with `steplog token new`."
        )
    name, role_name, digest = words[:3]
    role = Role.named(role_name)
    if role is None:
        raise AccessRefused(f"{where} has the role {role_name!r}; use viewer, operator or admin.")
    if len(digest) != 64 or not set(digest) <= set("0123456789abcdef"):
        raise AccessRefused(
            f"{where} has no SHA-256 in hexadecimal; a token itself must not stand there."
        )
    expires_at = None if len(words) == 3 else _time(words[3], where)
    return digest, KnownToken(Caller(name, role), expires_at)


def _time(text: str, where: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise AccessRefused(f"{where} has the expiry {text!r}, which is no time.") from error
    if time.tzinfo is None:
        raise AccessRefused(f"{where} has an expiry without a time zone; end it in Z.")
    return time


class Keyring:
    """The tokens that are known, read again when their file changes.

    `trouble` says what is wrong with the file at the moment, for readiness and metrics.
    """

    def __init__(
        self,
        text: str = "",
        file: Path | None = None,
        clock_s: Callable[[], float] = time.monotonic,
        read_every_s: float = READ_EVERY_S,
    ) -> None:
        self.trouble: str | None = None
        self._clock_s = clock_s
        self._read_every_s = read_every_s
        self._read_s = clock_s()
        self._gone_since_s: float | None = None
        self._given = read_tokens(text, "STEPLOG_API_TOKENS")
        self._file = file
        self._stamp: tuple[int, int] | None = None
        self._of_file: Tokens = {}
        if file is not None:
            self._read(file)

    def __len__(self) -> int:
        return len(self._given) + len(self._of_file)

    def refresh_if_due(self) -> None:
        """Read the file again every `read_every_s`; what is wrong with it is logged and kept."""
        now_s = self._clock_s()
        if self._file is None or now_s - self._read_s < self._read_every_s:
            return
        self._read_s = now_s
        try:
            self.refresh()
        except AccessRefused as error:
            _log.error("tokens_not_read", reason=str(error))

    def refresh(self) -> None:
        """Read the file again if it changed; what it held stays where it can't be read now.

        A file that is gone is an empty one once it has been gone for `GONE_AFTER_S`: whoever
        removes it means to let nobody in, while an editor that replaces it is quicker.

        Raises:
            AccessRefused: a line of it is none.
        """
        if self._file is None:
            return
        try:
            if self._file.exists():
                self._gone_since_s = None
                self._read(self._file)
            else:
                self._forget_if_gone(self._file)
        except AccessRefused as error:
            self.trouble = str(error)
            raise
        if self._gone_since_s is None:
            self.trouble = None

    def _forget_if_gone(self, file: Path) -> None:
        now_s = self._clock_s()
        if self._gone_since_s is None:
            self._gone_since_s = now_s
        if now_s - self._gone_since_s >= GONE_AFTER_S:
            self._of_file, self._stamp = {}, None
        self.trouble = f"The file of tokens {file} is gone; restore it, or nobody gets in by it."

    def caller(self, token: str, now: datetime) -> Caller:
        """Return who a token stands for.

        Raises:
            NotKnown: nobody, or not any more.
        """
        digest = hash_of(token[:MAX_TOKEN_CHARS])
        known = self._of_file.get(digest) or self._given.get(digest)
        if known is None:
            raise NotKnown("The token is not known here; ask whoever runs this API for one.")
        if known.expires_at is not None and now >= known.expires_at:
            raise NotKnown("The token has expired; ask whoever runs this API for a new one.")
        return known.caller

    def _read(self, file: Path) -> None:
        try:
            status = file.stat()
            stamp = (status.st_mtime_ns, status.st_size)
            if stamp != self._stamp:
                self._of_file = read_tokens(file.read_text(encoding="utf-8"), str(file))
                self._stamp = stamp
        except (OSError, UnicodeDecodeError) as error:
            raise AccessRefused(
                f"The file of tokens {file} can't be read: {error}; correct "
                "STEPLOG_API_TOKENS_FILE."
            ) from error
