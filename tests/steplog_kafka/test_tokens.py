"""Tokens for OAUTHBEARER that are asked for with a client's credentials."""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from steplog_kafka.errors import KafkaRefused
from steplog_kafka.settings import KafkaSettings
from steplog_kafka.tokens import RequestedTokens
from tests.steplog_kafka.secured_broker import SecuredKafka, unsigned_token
from tests.steplog_kafka.test_ways_in import gets_in

SECRET = "s3cret-nobody-sees"


@dataclass
class Issuer:
    """An issuer of tokens on this machine, and what it was asked."""

    url: str = ""
    status: int = 200
    answer: object = None
    asked: list[tuple[str, str]] = field(default_factory=list)


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    """Yield an issuer that gives out tokens of the user `client`."""
    told = Issuer(answer={"access_token": unsigned_token("client"), "expires_in": 300})

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            form = self.rfile.read(int(self.headers["Content-Length"])).decode()
            told.asked.append((form, self.headers["Authorization"]))
            self.send_response(told.status)
            self.end_headers()
            self.wfile.write(json.dumps(told.answer).encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its own name
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    told.url = f"http://127.0.0.1:{server.server_port}/token"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield told
    server.shutdown()
    thread.join()
    server.server_close()


def oauth(issuer: Issuer) -> dict[str, object]:
    """Return settings that ask the issuer."""
    return {
        "sasl_mechanism": "OAUTHBEARER",
        "sasl_oauth_token_url": issuer.url,
        "sasl_oauth_client_id": "c",
        "sasl_oauth_client_secret": SECRET,
        "sasl_oauth_scope": "kafka",
    }


def settings_of(issuer: Issuer) -> KafkaSettings:
    """Return settings of a broker that nobody asks."""
    return KafkaSettings(security_protocol="SASL_PLAINTEXT", **oauth(issuer))  # type: ignore[arg-type]


async def test_a_client_gets_in_with_a_token_of_the_issuer(
    secured: SecuredKafka, issuer: Issuer
) -> None:
    assert await gets_in(secured.way_in("SASL_SSL", **oauth(issuer)))
    assert issuer.asked[0][0] == "grant_type=client_credentials&scope=kafka"


async def test_a_token_is_kept_until_shortly_before_its_end(issuer: Issuer) -> None:
    now_s = [0.0]
    tokens = RequestedTokens(settings_of(issuer), lambda: now_s[0])

    for moment_s in (0.0, 269.0, 271.0):
        now_s[0] = moment_s
        await tokens.token()

    assert len(issuer.asked) == 2


@pytest.mark.parametrize(
    ("status", "answer", "sentence"),
    [
        (401, {"error": "invalid_client"}, "gives the client 'c' no token"),
        (200, {"token": "x"}, "answers with no access_token"),
        (200, [], "answers with no access_token"),
    ],
)
async def test_an_issuer_that_gives_none_is_said_without_the_secret(
    issuer: Issuer, status: int, answer: object, sentence: str
) -> None:
    issuer.status, issuer.answer = status, answer

    with pytest.raises(KafkaRefused) as refused:
        await RequestedTokens(settings_of(issuer)).token()

    assert sentence in str(refused.value)
    assert SECRET not in str(refused.value)


async def test_an_issuer_that_is_away_is_said(issuer: Issuer) -> None:
    away = settings_of(issuer).model_copy(update={"sasl_oauth_token_url": "http://127.0.0.1:1/t"})

    with pytest.raises(
        KafkaRefused, match=r"No token for Kafka comes from http://127\.0\.0\.1:1/t"
    ):
        await RequestedTokens(away).token()
