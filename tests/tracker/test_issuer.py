"""Tokens of an OpenID Connect issuer that runs on this machine."""

import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from fastapi import FastAPI
from jwt.algorithms import RSAAlgorithm

from tests.conformance.stores import TOPIC
from tests.tracker.serving import serving
from tracker_service.access.issuer import Issuer, IssuerAway, IssuerSettings
from tracker_service.access.roles import NotKnown, Role

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
FOREIGN_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


class Running:
    """An issuer at an address; it counts how often its keys are asked for."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.asked = 0
        self.keys = {"k-1": KEY}

    def documents(self) -> dict[str, Any]:
        """Return the key set."""
        self.asked += 1
        shown = [
            {**json.loads(RSAAlgorithm.to_jwk(key.public_key())), "kid": name, "alg": "RS256"}
            for name, key in self.keys.items()
        ]
        return {"keys": shown}

    def token(self, key: Any = KEY, key_id: str = "k-1", **changes: Any) -> str:
        """Return a token; a change to None leaves the claim out."""
        claims = {
            "iss": self.url,
            "aud": "steplog",
            "exp": time.time() + 60,
            "email": "ann@example.org",
            "role": "operator",
            **changes,
        }
        known = {name: value for name, value in claims.items() if value is not None}
        return jwt.encode(known, key, algorithm="RS256", headers={"kid": key_id})


@asynccontextmanager
async def a_server(app: FastAPI) -> AsyncIterator[str]:
    """Serve the issuer as the API is served; it has no streams to end."""
    app.state.parts = _NoParts()
    async with serving(app) as url:
        yield url


class _NoFeed:
    async def close(self) -> None:
        """Nothing is open."""


class _NoParts:
    feed = _NoFeed()


@pytest.fixture
async def running() -> AsyncIterator[Running]:
    """Return a running issuer."""
    app = FastAPI()
    issuer = Running("")

    @app.get("/.well-known/openid-configuration")
    async def configuration() -> dict[str, Any]:
        return {"issuer": issuer.url, "jwks_uri": f"{issuer.url}/keys"}

    @app.get("/keys")
    async def keys() -> dict[str, Any]:
        return issuer.documents()

    async with a_server(app) as url:
        issuer.url = url
        yield issuer


def checks(running: Running, claim: str = "role") -> Issuer:
    """Return what checks the issuer's tokens."""
    settings = IssuerSettings(running.url, "steplog", claim)
    return Issuer(settings, httpx.AsyncHTTPTransport())


async def test_a_token_names_its_caller_and_role(running: Running) -> None:
    caller = await checks(running).caller(running.token())

    assert (caller.name, caller.role) == ("ann@example.org", Role.OPERATOR)


async def test_the_role_may_stand_deeper_and_the_highest_counts(running: Running) -> None:
    token = running.token(realm={"roles": ["other", "viewer", "admin"]})

    caller = await checks(running, "realm.roles").caller(token)

    assert caller.role is Role.ADMIN


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"exp": time.time() - 3600}, "has expired"),
        ({"exp": None}, "exp"),
        ({"aud": "another"}, "not valid"),
        ({"iss": "https://elsewhere.example"}, "not valid"),
        ({"role": "chief"}, "names none of"),
        ({"role": None}, "names none of"),
        ({"key": FOREIGN_KEY}, "not valid"),
        ({"key_id": "k-9"}, "a key the issuer does not show"),
    ],
)
async def test_a_token_that_proves_nothing_is_refused(
    running: Running, changes: dict[str, Any], says: str
) -> None:
    with pytest.raises(NotKnown, match=says):
        await checks(running).caller(running.token(**changes))


@pytest.mark.parametrize("text", ["", "a.b.c", "x" * 30_000])
async def test_what_is_no_token_is_refused(running: Running, text: str) -> None:
    with pytest.raises(NotKnown):
        await checks(running).caller(text)


async def test_a_token_without_a_signature_is_refused(running: Running) -> None:
    claims = jwt.decode(running.token(), options={"verify_signature": False})
    unsigned = jwt.encode(claims, None, algorithm="none", headers={"kid": "k-1"})

    with pytest.raises(NotKnown):
        await checks(running).caller(unsigned)


async def test_keys_are_fetched_once_and_not_hammered(running: Running) -> None:
    issuer = checks(running)
    for _ in range(3):
        await issuer.caller(running.token())
    for _ in range(3):
        with pytest.raises(NotKnown):
            await issuer.caller(running.token(key_id="k-9"))

    assert running.asked == 1


async def test_an_issuer_that_is_away_is_not_a_bad_token() -> None:
    issuer = Issuer(IssuerSettings("http://127.0.0.1:9", TOPIC), httpx.AsyncHTTPTransport())
    token = jwt.encode({"iss": "x"}, KEY, algorithm="RS256", headers={"kid": "k-1"})

    with pytest.raises(IssuerAway, match="does not show its keys"):
        await issuer.caller(token)
