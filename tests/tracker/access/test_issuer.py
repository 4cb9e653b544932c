"""Tokens of an OpenID Connect issuer that runs on this machine."""

import asyncio
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
        self.issuer: str | None = None
        self.keys_at: str | None = None
        self.use = "sig"
        self.delay_s = 0.0
        self.keys = {"k-1": KEY}

    def documents(self) -> dict[str, Any]:
        """Return the key set."""
        self.asked += 1
        shown = [
            {
                **json.loads(RSAAlgorithm.to_jwk(key.public_key())),
                "kid": name,
                "alg": "RS256",
                "use": self.use,
            }
            for name, key in self.keys.items()
        ]
        return {"keys": shown}

    def token(self, key: Any = KEY, key_id: str = "k-1", **changes: Any) -> str:
        """Return a token; a change to None leaves the claim out."""
        claims = {
            "iss": self.url,
            "aud": "steplog",
            "exp": time.time() + 60,
            "sub": "u-1",
            "email": "ann@example.org",
            "email_verified": True,
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
        await asyncio.sleep(issuer.delay_s)
        keys_at = issuer.keys_at or f"{issuer.url}/keys"
        return {"issuer": issuer.issuer or issuer.url, "jwks_uri": keys_at}

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

    assert (caller.name, caller.role) == ("oidc:u-1", Role.OPERATOR)
    assert caller.label == "ann@example.org"


@pytest.mark.parametrize(
    "changes",
    [
        {"email_verified": False},
        {"email_verified": None},
        {"email_verified": "true"},
        {"email": "ceo@example.org\n\x1b[2J"},
        {"email": ["ceo@example.org"]},
        {"email": None, "preferred_username": "ann"},
    ],
)
async def test_a_name_that_nobody_verified_is_no_label(
    running: Running, changes: dict[str, Any]
) -> None:
    caller = await checks(running).caller(running.token(**changes))

    assert (caller.name, caller.label) == ("oidc:u-1", None)


@pytest.mark.parametrize("subject", [None, "", 7, ["u-1"], "u\n1", "u\x1b[2J", "ü", "x" * 256])
async def test_a_token_without_a_plain_subject_is_refused(running: Running, subject: Any) -> None:
    with pytest.raises(NotKnown):
        await checks(running).caller(running.token(sub=subject))


@pytest.mark.parametrize(
    ("issuer", "keys_at"),
    [
        ("https://elsewhere.example", None),
        (None, "http://169.254.169.254/keys"),
        (None, "ftp://127.0.0.1/keys"),
        (None, "file:" + "///etc/passwd"),
    ],
)
async def test_a_document_that_leads_elsewhere_is_not_followed(
    running: Running, issuer: str | None, keys_at: str | None
) -> None:
    running.issuer, running.keys_at = issuer, keys_at

    with pytest.raises(IssuerAway):
        await checks(running).caller(running.token())
    assert running.asked == 0


async def test_a_key_for_encryption_proves_nothing(running: Running) -> None:
    running.use = "enc"

    with pytest.raises(NotKnown, match="a key the issuer does not show"):
        await checks(running).caller(running.token())


async def test_callers_with_known_keys_do_not_wait_for_a_slow_issuer(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tracker_service.access.issuer.FETCH_EVERY_S", 0.0)
    issuer = checks(running)
    await issuer.caller(running.token())
    running.delay_s = 2.0
    unknown = asyncio.create_task(issuer.caller(running.token(key_id="k-9")))
    await asyncio.sleep(0.1)

    async with asyncio.timeout(1.0):
        await issuer.caller(running.token())
    assert not unknown.done()
    with pytest.raises(NotKnown):
        await unknown


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
