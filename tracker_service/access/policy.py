"""How an API is protected: who is let in, from where, how often and with how much.

Open access is for one machine: it listens on loopback, and answers only requests that name it so. A
page on the web can make a browser send requests to this machine; it can't choose their Host, and
what changes something must come from the API's own pages or from no page at all.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlsplit

from tracker_service.access.addresses import (
    host_name,
    is_loopback,
    is_origin,
    is_trusted_url,
)
from tracker_service.access.issuer import Issuer, IssuerSettings
from tracker_service.access.roles import ANYBODY, AccessRefused, Caller, NotAllowed, NotKnown
from tracker_service.access.sessions import Sessions
from tracker_service.access.tokens import PREFIX, Keyring
from tracker_service.settings import Settings

_LOOPBACK_NAMES: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})
_SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_OWN_SITE: Final = frozenset({"same-origin", "none"})
_FOREIGN_SITE: Final = "cross-site"


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a request shows of who sends it: a token, or from a cookie the id of a session.

    What comes from a cookie may change something only if the API's own pages sent it.
    """

    token: str | None
    from_cookie: bool = False


@dataclass(frozen=True)
class Policy:
    """The rules of one API. Without keyring and issuer access is open, to `hosts` if given."""

    keyring: Keyring | None = None
    issuer: Issuer | None = None
    hosts: frozenset[str] | None = None
    origins: tuple[str, ...] = ()
    sessions: Sessions = field(default_factory=Sessions)

    @property
    def is_open(self) -> bool:
        """Whether nobody has to show who they are."""
        return self.keyring is None and self.issuer is None

    @property
    def trouble(self) -> str | None:
        """What is wrong with the tokens at the moment, None where they can be read."""
        if self.keyring is None:
            return None
        self.keyring.refresh_if_due()
        return self.keyring.trouble

    async def caller(self, credentials: Credentials) -> Caller:
        """Return who asks.

        Raises:
            NotKnown: they have to show it and have not.
            IssuerAway: it can't be checked at the moment.
        """
        if self.is_open:
            return ANYBODY
        token = self._token(credentials)
        if not token:
            raise NotKnown("This API wants to know who asks; send Authorization: Bearer <token>.")
        if self.issuer is not None and not token.startswith(PREFIX):
            return await self.issuer.caller(token)
        if self.keyring is None:
            raise NotKnown("The token is none of the issuer's.")
        self.keyring.refresh_if_due()
        return self.keyring.caller(token, datetime.now(UTC))

    def _token(self, credentials: Credentials) -> str | None:
        if not credentials.from_cookie or credentials.token is None:
            return credentials.token
        token = self.sessions.token(credentials.token)
        if token is None:
            raise NotKnown("Your session has ended; sign in again.")
        return token

    def check_origin(self, method: str, headers: Mapping[str, str], *, from_cookie: bool) -> None:
        """Refuse what a foreign page may have made a browser send.

        Raises:
            NotAllowed: it comes from elsewhere.
        """
        host = headers.get("host", "")
        if self.hosts is not None and host_name(host) not in self.hosts:
            raise NotAllowed(f"This API does not answer under the name {host!r}.")
        origin, site = headers.get("origin"), headers.get("sec-fetch-site")
        if origin in self.origins:
            return
        if method in _SAFE_METHODS:
            self._check_reading(site)
            return
        foreign = (
            urlsplit(origin).netloc.lower() != host.lower()
            if origin is not None
            else site is not None and site not in _OWN_SITE
        )
        if foreign or (from_cookie and origin is None and site is None):
            raise NotAllowed("Commands are taken from the API's own pages, not from other sites.")

    def _check_reading(self, site: str | None) -> None:
        """Refuse what another site's page makes a browser ask: it can't read it, only cost time."""
        if site == _FOREIGN_SITE and not self.origins:
            raise NotAllowed("This API does not answer pages of other sites.")


def policy_of(settings: Settings) -> Policy:
    """Return the policy that settings ask for.

    Raises:
        AccessRefused: it would be open beyond this machine, or can't be read.
    """
    keyring = _keyring(settings)
    issuer = _issuer(settings)
    origins = _origins(settings)
    if keyring is not None or issuer is not None:
        return Policy(keyring, issuer, origins=origins)
    if not is_loopback(settings.api_host):
        raise AccessRefused(
            f"The API would listen on {settings.api_host}, beyond this machine, and let anybody "
            "in. Make a token with `steplog token new` and set STEPLOG_API_TOKENS_FILE or "
            "STEPLOG_API_TOKENS, or set STEPLOG_API_OIDC_ISSUER; or listen on 127.0.0.1."
        )
    return Policy(hosts=_LOOPBACK_NAMES | {settings.api_host}, origins=origins)


def _origins(settings: Settings) -> tuple[str, ...]:
    origins = tuple(settings.api_cors_origins.replace(",", " ").split())
    for origin in origins:
        if not is_origin(origin):
            raise AccessRefused(
                f"STEPLOG_API_CORS_ORIGINS has {origin!r}, which is no origin of pages; name each "
                "as https://host or https://host:port."
            )
    return origins


def _keyring(settings: Settings) -> Keyring | None:
    if not settings.api_tokens and settings.api_tokens_file is None:
        return None
    keyring = Keyring(settings.api_tokens, settings.api_tokens_file)
    if not len(keyring):
        raise AccessRefused("No token is set; make one with `steplog token new`.")
    return keyring


def _issuer(settings: Settings) -> Issuer | None:
    if not settings.api_oidc_issuer:
        return None
    if not settings.api_oidc_audience:
        raise AccessRefused(
            "STEPLOG_API_OIDC_ISSUER needs STEPLOG_API_OIDC_AUDIENCE: without it, a token made for "
            "another program would be taken."
        )
    if not is_trusted_url(settings.api_oidc_issuer):
        raise AccessRefused(
            f"STEPLOG_API_OIDC_ISSUER is {settings.api_oidc_issuer!r}; name it with https://, for "
            "its keys can be trusted only so."
        )
    return Issuer(
        IssuerSettings(
            settings.api_oidc_issuer, settings.api_oidc_audience, settings.api_oidc_role_claim
        )
    )
