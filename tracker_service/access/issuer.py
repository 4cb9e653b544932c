"""An OpenID Connect issuer whose tokens are taken: signature, issuer, audience and time checked.

A caller is `oidc:<sub>`: the one claim that an issuer never gives to somebody else. An address is a
label, and only if the issuer has verified it.

Its keys are fetched once and kept, over https alone; a token signed with a key not seen yet makes
them be fetched again, at most twice a minute, so that nobody can make this process hammer the
issuer. Callers whose key is known don't wait for that.
"""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import httpx
import jwt
from jwt import PyJWK, PyJWKSet

from tracker_service.access.addresses import is_trusted_url
from tracker_service.access.roles import Caller, NotKnown, Role
from tracker_service.projections.errors import TrackerError

ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "ES512", "EdDSA")
FETCH_TIMEOUT_S: Final = 5.0
MAX_DOCUMENT_BYTES: Final = 500_000
KEYS_GOOD_FOR_S: Final = 3600.0
FETCH_EVERY_S: Final = 30.0
AWAY_FOR_S: Final = 5.0
LEEWAY_S: Final = 30
MAX_TOKEN_CHARS: Final = 20_000
MAX_SUBJECT_CHARS: Final = 255  # OpenID Connect Core 1.0, 2: the claim `sub`.
IDENTITY_PREFIX: Final = "oidc:"


class IssuerAway(TrackerError):
    """The issuer's keys can't be fetched at the moment."""

    for_callers = "The issuer of your token can't be asked at the moment; try again."


@dataclass(frozen=True, slots=True)
class IssuerSettings:
    """What is trusted. `role_claim` is a dotted path to a role or a list of roles."""

    issuer: str
    audience: str
    role_claim: str = "role"


class Issuer:
    """Turns an issuer's tokens into callers."""

    def __init__(
        self, settings: IssuerSettings, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self._settings = settings
        self._transport = transport
        self._keys: dict[str | None, PyJWK] = {}
        self._fetched_s: float | None = None
        self._away_until_s = 0.0
        self._fetching = asyncio.Lock()

    async def caller(self, token: str) -> Caller:
        """Return who a token stands for.

        Raises:
            NotKnown: it is not valid (any more), or names no role.
            IssuerAway: the keys to check it with can't be had.
        """
        if len(token) > MAX_TOKEN_CHARS:
            raise NotKnown("The token is too long to be one.")
        try:
            key = await self._key(jwt.get_unverified_header(token).get("kid"))
            claims = jwt.decode(
                token,
                key.key,
                algorithms=[name for name in ALGORITHMS if key.algorithm_name == name],
                audience=self._settings.audience,
                issuer=self._settings.issuer,
                leeway=LEEWAY_S,
                options={"require": ["exp", "iss", "aud"]},
            )
        except jwt.ExpiredSignatureError as error:
            raise NotKnown("The token has expired; sign in again.") from error
        except (jwt.PyJWTError, ValueError) as error:
            raise NotKnown(f"The token is not valid: {error}.") from error
        return self._caller(claims)

    def _caller(self, claims: Mapping[str, Any]) -> Caller:
        roles = [Role.named(name) for name in _texts(claims, self._settings.role_claim)]
        known = [role for role in roles if role is not None]
        if not known:
            raise NotKnown(
                f"The token's claim {self._settings.role_claim} names none of viewer, operator and "
                "admin; ask whoever runs the issuer for a role."
            )
        return Caller(IDENTITY_PREFIX + _subject(claims), max(known), _label(claims))

    async def _key(self, key_id: str | None) -> PyJWK:
        if key_id in self._keys and not self._is_stale():
            return self._keys[key_id]
        async with self._fetching:
            age_s = None if self._fetched_s is None else time.monotonic() - self._fetched_s
            stale = age_s is None or age_s > KEYS_GOOD_FOR_S
            unseen = key_id not in self._keys and (age_s is None or age_s > FETCH_EVERY_S)
            if stale or unseen:
                await self._fetch(keep=bool(self._keys))
        key = self._keys.get(key_id)
        if key is None:
            raise NotKnown("The token is signed with a key the issuer does not show.")
        return key

    def _is_stale(self) -> bool:
        return self._fetched_s is None or time.monotonic() - self._fetched_s > KEYS_GOOD_FOR_S

    async def _fetch(self, *, keep: bool) -> None:
        """Fetch the keys; with `keep` those at hand go on where the issuer does not answer."""
        if time.monotonic() < self._away_until_s and not keep:
            raise IssuerAway(f"The issuer {self._settings.issuer} did not show its keys just now.")
        self._fetched_s = time.monotonic()
        try:
            async with httpx.AsyncClient(
                timeout=FETCH_TIMEOUT_S, transport=self._transport
            ) as client:
                base = self._settings.issuer.rstrip("/")
                told = await _document(client, f"{base}/.well-known/openid-configuration")
                keys = await _document(client, _keys_address(told, base))
            self._keys = {key.key_id: key for key in _signing_keys(keys)}
        except (httpx.HTTPError, jwt.PyJWTError, ValueError, KeyError, TypeError) as error:
            if not keep:
                self._fetched_s = None
                self._away_until_s = time.monotonic() + AWAY_FOR_S
                raise IssuerAway(
                    f"The issuer {self._settings.issuer} does not show its keys: {error!r}; try "
                    "again, or check STEPLOG_API_OIDC_ISSUER."
                ) from error


def _keys_address(told: Mapping[str, Any], issuer: str) -> str:
    """Return where the keys are; OpenID Connect Discovery 1.0, 4.3: the document names its issuer.

    Raises:
        ValueError: the document is another issuer's, or sends elsewhere than over https.
    """
    if str(told["issuer"]).rstrip("/") != issuer:
        raise ValueError(f"the document is of the issuer {told['issuer']!r}")
    address = str(told["jwks_uri"])
    if not is_trusted_url(address):
        raise ValueError(f"its keys are at {address!r}, not over https")
    return address


def _signing_keys(document: Mapping[str, Any]) -> list[PyJWK]:
    """Return the keys that sign; those for encryption (RFC 7517, 4.2) prove nothing."""
    signing = [key for key in document["keys"] if key.get("use", "sig") == "sig"]
    return PyJWKSet.from_dict({"keys": signing}).keys if signing else []


def _subject(claims: Mapping[str, Any]) -> str:
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= MAX_SUBJECT_CHARS:
        raise NotKnown("The token has no claim sub, which says who it is about.")
    if not (subject.isascii() and subject.isprintable()):
        raise NotKnown("The token's claim sub has characters that no issuer gives.")
    return subject


def _label(claims: Mapping[str, Any]) -> str | None:
    email = claims.get("email")
    verified = claims.get("email_verified") is True
    if verified and isinstance(email, str) and len(email) <= MAX_SUBJECT_CHARS:
        return email if email.isprintable() else None
    return None


async def _document(client: httpx.AsyncClient, url: str) -> dict[str, Any]:
    async with client.stream("GET", url) as response:
        response.raise_for_status()
        text = b""
        async for part in response.aiter_bytes():
            text += part
            if len(text) > MAX_DOCUMENT_BYTES:
                raise ValueError(f"{url} is larger than {MAX_DOCUMENT_BYTES} bytes")
    document: dict[str, Any] = httpx.Response(200, content=text).json()
    return document


def _texts(claims: Mapping[str, Any], path: str) -> list[str]:
    value: Any = claims
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return [one for one in (value if isinstance(value, list) else [value]) if isinstance(one, str)]
