"""Tokens for OAUTHBEARER: from a file that something else keeps fresh, or asked for here."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import httpx
from aiokafka.abc import AbstractTokenProvider

from steplog_kafka.errors import KafkaRefused
from steplog_kafka.secret_values import secret_in, secret_value
from steplog_kafka.settings import KafkaSettings

TOKEN_TIMEOUT_S = 10.0
# So long before its end a token is no longer shown: clocks differ, and requests take their time.
EXPIRY_MARGIN_S = 30.0
# For an issuer that doesn't say how long its tokens hold.
DEFAULT_LIFETIME_S = 60.0


class FileTokens(AbstractTokenProvider):  # type: ignore[misc]  # aiokafka is untyped here.
    """Shows the token in a file, read each time: a projected service account token, for one."""

    def __init__(self, file: Path) -> None:
        self._file = file

    async def token(self) -> str:
        """Return the token; raises `WrongKafkaSettings` without one."""
        return (await asyncio.to_thread(secret_in, self._file)).strip()


class RequestedTokens(AbstractTokenProvider):  # type: ignore[misc]  # aiokafka is untyped here.
    """Asks an issuer for tokens with a client's credentials (RFC 6749, 4.4), and keeps the last."""

    def __init__(
        self, settings: KafkaSettings, clock_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._settings = settings
        self._clock_s = clock_s
        self._token = ""
        self._good_until_s = 0.0
        self._asking = asyncio.Lock()

    async def token(self) -> str:
        """Return a token that still holds; raises `KafkaRefused` if the issuer gives none."""
        async with self._asking:
            if not self._token or self._clock_s() >= self._good_until_s:
                self._token, lifetime_s = await self._asked()
                self._good_until_s = self._clock_s() + lifetime_s - EXPIRY_MARGIN_S
            return self._token

    async def _asked(self) -> tuple[str, float]:
        settings = self._settings
        url, client = settings.sasl_oauth_token_url or "", settings.sasl_oauth_client_id or ""
        secret = await asyncio.to_thread(
            secret_value, settings.sasl_oauth_client_secret, settings.sasl_oauth_client_secret_file
        )
        form = {"grant_type": "client_credentials"}
        if settings.sasl_oauth_scope:
            form["scope"] = settings.sasl_oauth_scope
        try:
            async with httpx.AsyncClient(timeout=TOKEN_TIMEOUT_S) as http:
                answer = await http.post(url, data=form, auth=(client, secret or ""))
        except httpx.HTTPError as error:
            raise KafkaRefused(
                f"No token for Kafka comes from {url} ({type(error).__name__}); check "
                "STEPLOG_KAFKA_SASL_OAUTH_TOKEN_URL."
            ) from None
        return _token_in(answer, url, client)


def _token_in(answer: httpx.Response, url: str, client: str) -> tuple[str, float]:
    if answer.status_code != httpx.codes.OK:
        raise KafkaRefused(
            f"{url} gives the client {client!r} no token for Kafka (HTTP {answer.status_code}); "
            "check STEPLOG_KAFKA_SASL_OAUTH_CLIENT_ID and its secret."
        )
    try:
        body = answer.json()
        return str(body["access_token"]), float(body.get("expires_in", DEFAULT_LIFETIME_S))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise KafkaRefused(
            f"{url} answers with no access_token; check STEPLOG_KAFKA_SASL_OAUTH_TOKEN_URL."
        ) from None
