"""What an attacker tries at the door: names, addresses, cookies, connections."""

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from fastapi.routing import APIRoute

from tests.conformance.stores import TOPIC, ReadModelUnderTest, sqlite_read_model
from tests.tracker.histories import History, Log
from tests.tracker.serving import serving, stream
from tracker_service.access import sessions
from tracker_service.access.addresses import host_name
from tracker_service.access.policy import Policy, policy_of
from tracker_service.access.roles import Role
from tracker_service.access.tokens import GONE_AFTER_S, Keyring, new_token, token_line
from tracker_service.api_server import connections
from tracker_service.api_server.app import make_app
from tracker_service.http_api.context import Protection
from tracker_service.http_api.middleware.auth import is_open
from tracker_service.http_api.routes import streams
from tracker_service.settings import Settings
from tracker_service.web import pages

TOKEN = new_token()
LINE = token_line(TOKEN, "ann", Role.ADMIN)
BEARER = {"Authorization": f"Bearer {TOKEN}"}
OWN = {"Origin": "http://127.0.0.1"}
# Each a tenth of a second apart: longer than connections without a head are kept.
TRIES = 20
# Answered without a token: supervisors ask them, and pages hold nothing themselves.
OPEN_ROUTES = {
    "/", "/healthz", "/readyz", "/executions", "/pipelines", "/health", "/sign-in", "/static",
    "/executions/{execution_id}", "/executions/{execution_id}/values",
    "/executions/{execution_id}/steps/{seq}", "/executions/{execution_id}/recorded",
    "/executions/{execution_id}/definition", "/api/session",
}  # fmt: skip


@pytest.fixture
async def rows(tmp_path: Path) -> AsyncIterator[ReadModelUnderTest]:
    """Return a read model with one execution that goes on."""
    async with sqlite_read_model(tmp_path / "rows.db") as under_test:
        log = Log()
        log.append([History("e-1").started()])
        await under_test.receives(log.entries)
        yield under_test


def client(rows: ReadModelUnderTest, policy: Policy, **more: int) -> httpx.AsyncClient:
    """Return a client of an API with a policy."""
    app = make_app(rows.model, TOPIC, protection=Protection(policy, **more))
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://127.0.0.1")


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("LocalHost:8400", "localhost"),
        ("127.0.0.1", "127.0.0.1"),
        ("[::1]:8400", "[::1]"),
        ("[::1]evil.example", None),
        ("[::1]:8400evil", None),
        ("localhost:8400:1", None),
        ("localhost:", None),
        ("localhost:port", None),
        ("user@localhost", None),
        ("localhost/x", None),
        ("localhost evil.example", None),
        (" localhost", None),
        ("", None),
        ("[127.0.0.1", None),
        ("lo\tcalhost", None),
    ],
)
def test_a_host_is_read_strictly(host: str, name: str | None) -> None:
    assert host_name(host) == name


@pytest.mark.parametrize("place", [1, 2, 3])
@pytest.mark.parametrize("character", [*map(chr, range(0x21)), "\x7f", "\x85", "\u2028", "\\"])
def test_an_address_with_control_characters_is_none_of_ours(place: int, character: str) -> None:
    """Browsers drop some of them, and what is left leads to another site."""
    path = "/evil.example"
    changed = path[:place] + character + "/" * (place == 1) + path[place:]

    assert pages._OWN_PAGE.fullmatch(changed) is None


@pytest.mark.parametrize(
    "path", ["//evil.example", "/\\evil.example", "https://e.example", "x", ""]
)
def test_an_address_of_another_site_is_none_of_ours(path: str) -> None:
    assert pages._OWN_PAGE.fullmatch(path) is None


async def test_pages_of_other_sites_get_no_answer(rows: ReadModelUnderTest) -> None:
    foreign = {"Sec-Fetch-Site": "cross-site"}
    async with client(rows, policy_of(Settings())) as api:
        refused = [(await api.get(p, headers=foreign)).status_code for p in ("/api/counts", "/")]
        own = await api.get("/api/counts", headers={"Sec-Fetch-Site": "same-origin"})
    named = policy_of(Settings(api_cors_origins="https://board.example"))
    async with client(rows, named) as api:
        allowed = await api.get("/api/counts", headers=foreign)

    assert (refused, own.status_code, allowed.status_code) == ([403, 403], 200, 200)
    assert own.headers["cross-origin-resource-policy"] == "same-origin"


async def test_foreign_requests_use_up_nobodys_rate(rows: ReadModelUnderTest) -> None:
    async with client(rows, policy_of(Settings()), rate_per_s=50) as api:
        for _ in range(300):
            await api.get("/api/counts", headers={"Sec-Fetch-Site": "cross-site"})
        own = await api.get("/api/counts")

    assert own.status_code == 200


async def test_every_route_but_the_named_ones_wants_a_token(rows: ReadModelUnderTest) -> None:
    """A new route is closed until somebody opens it on purpose, and names it here."""
    app = make_app(rows.model, TOPIC, protection=Protection(Policy(Keyring(LINE))))
    transport = httpx.ASGITransport(app=app)
    found = [*app.state.routes, *pages.router.routes]
    routes = [route for route in found if isinstance(route, APIRoute)]
    open_ones = set()
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as api:
        for route in routes:
            for method in route.methods - {"HEAD", "OPTIONS"}:
                filled = route.path.replace("{seq}", "1").replace("{", "").replace("}", "")
                answer = await api.request(method, filled, headers=OWN)
                if answer.status_code != 401:
                    open_ones.add(route.path)

    assert open_ones <= OPEN_ROUTES
    assert len(routes) > 40
    assert not is_open("/api/anything/new")
    assert not is_open("/metrics")


async def test_a_session_ends_when_its_person_signs_out(rows: ReadModelUnderTest) -> None:
    async with client(rows, Policy(Keyring(LINE))) as api:
        signed = await api.post("/api/session", json={"token": TOKEN}, headers=OWN)
        cookie = signed.headers["set-cookie"].partition(";")[0]
        await api.delete("/api/session", headers=OWN)
        api.cookies.clear()
        again = await api.get("/api/executions", headers={"Cookie": cookie})

    assert TOKEN not in signed.headers["set-cookie"]
    assert (again.status_code, "sign in again" in again.json()["detail"]) == (401, True)


async def test_a_session_of_one_port_is_none_of_another(rows: ReadModelUnderTest) -> None:
    async with client(rows, Policy(Keyring(LINE))) as api:
        here = {"Host": "127.0.0.1:8400", "Origin": "http://127.0.0.1:8400"}
        signed = await api.post("/api/session", json={"token": TOKEN}, headers=here)
        cookie = {"Cookie": signed.headers["set-cookie"].partition(";")[0]}
        api.cookies.clear()
        same = await api.get("/api/executions", headers=cookie | {"Host": "127.0.0.1:8400"})
        other = await api.get("/api/executions", headers=cookie | {"Host": "127.0.0.1:9000"})

    assert (same.status_code, other.status_code) == (200, 401)


async def test_over_https_the_cookie_is_of_this_host_alone(rows: ReadModelUnderTest) -> None:
    app = make_app(rows.model, TOPIC, protection=Protection(Policy(Keyring(LINE))))
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="https://steplog.example") as api:
        signed = await api.post("/api/session", json={"token": TOKEN})
        read = await api.get("/api/executions")

    cookie = signed.headers["set-cookie"]
    assert cookie.startswith("__Host-")
    assert {"Secure", "Path=/"} <= set(cookie.split("; "))
    assert "Domain" not in cookie
    assert read.status_code == 200


def test_sessions_are_bounded_in_number_and_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = [0.0]
    monkeypatch.setattr(sessions, "MAX_SESSIONS", 2)
    kept = sessions.Sessions(lambda: now_s[0])
    first, second, third = (kept.begin(name) for name in ("a", "b", "c"))

    assert [kept.token(one) for one in (first, second, third)] == [None, "b", "c"]
    now_s[0] = sessions.SESSION_S
    assert kept.token(third) is None


async def test_a_new_token_can_sign_in_at_once(rows: ReadModelUnderTest, tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    file.write_text(token_line(new_token(), "old", Role.VIEWER))
    async with client(rows, Policy(Keyring(file=file, read_every_s=0.0))) as api:
        file.write_text(LINE)
        signed = await api.post("/api/session", json={"token": TOKEN}, headers=OWN)

    assert signed.status_code == 200


async def test_a_file_of_tokens_that_is_gone_lets_nobody_in(
    rows: ReadModelUnderTest, tmp_path: Path
) -> None:
    file, now_s = tmp_path / "tokens", [0.0]
    file.write_text(LINE)
    keyring = Keyring(file=file, clock_s=lambda: now_s[0], read_every_s=0.0)
    async with client(rows, Policy(keyring)) as api:
        file.unlink()
        at_once = await api.get("/api/counts", headers=BEARER)
        ready = await api.get("/readyz")
        now_s[0] = GONE_AFTER_S
        later = await api.get("/api/counts", headers=BEARER)
        file.write_text(LINE)
        restored = await api.get("/api/counts", headers=BEARER)
        ready_again = await api.get("/readyz")

    assert [a.status_code for a in (at_once, later, restored)] == [200, 401, 200]
    assert (ready.status_code, "is gone" in ready.json()["detail"]) == (503, True)
    assert ready_again.status_code == 200


async def test_a_bad_line_shows_in_readiness_and_metrics(
    rows: ReadModelUnderTest, tmp_path: Path
) -> None:
    file = tmp_path / "tokens"
    file.write_text(LINE)
    async with client(rows, Policy(Keyring(file=file, read_every_s=0.0))) as api:
        file.write_text(f"{LINE}\nno such form")
        ready = await api.get("/readyz")
        metrics = await api.get("/metrics", headers=BEARER)

    assert (ready.status_code, "line 2" in ready.json()["detail"]) == (503, True)
    assert "steplog_api_tokens_unreadable 1.0" in metrics.text


async def test_a_stream_ends_when_its_caller_is_not_known_any_more(
    rows: ReadModelUnderTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "HEARTBEAT_S", 0.2)
    file = tmp_path / "tokens"
    file.write_text(LINE)
    policy = Policy(Keyring(file=file, read_every_s=0.0))
    app = make_app(rows.model, TOPIC, protection=Protection(policy))
    async with (
        serving(app) as url,
        httpx.AsyncClient(base_url=url, trust_env=False, headers=BEARER) as api,
        api.stream("GET", "/api/executions/stream") as response,
    ):
        parts = response.aiter_bytes()
        began = await anext(parts)
        file.write_text(token_line(new_token(), "other", Role.VIEWER))
        async with asyncio.timeout(10):
            rest = [part async for part in parts]

    assert b"hello" in began
    assert all(part.startswith(b":") for part in rest)


async def test_one_caller_takes_only_a_share_of_the_streams(rows: ReadModelUnderTest) -> None:
    tokens = [new_token() for _ in range(2)]
    lines = ";".join(token_line(t, f"n{i}", Role.VIEWER) for i, t in enumerate(tokens))
    protection = Protection(Policy(Keyring(lines)), max_streams=30)
    async with (
        serving(make_app(rows.model, TOPIC, protection=protection)) as url,
        httpx.AsyncClient(base_url=url, trust_env=False, timeout=20) as api,
    ):
        taken = [await _status(api, tokens[0]) for _ in range(5)]
        other = await _status(api, tokens[1])

    assert taken == [200, 200, 200, 503, 503]
    assert other == 200


async def _status(api: httpx.AsyncClient, token: str) -> int:
    headers = {"Authorization": f"Bearer {token}"}
    request = api.build_request("GET", "/api/executions/stream", headers=headers)
    return (await api.send(request, stream=True)).status_code


async def test_connections_without_a_request_shut_nobody_out(
    rows: ReadModelUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "HEAD_TIMEOUT_S", 0.5)
    monkeypatch.setattr(connections, "max_connections", lambda: 24)
    async with serving(make_app(rows.model, TOPIC)) as url:
        port = int(url.rpartition(":")[2])
        half_sent = []
        for _ in range(100):
            one = socket.create_connection(("127.0.0.1", port))
            one.sendall(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Half:")
            half_sent.append(one)
        async with httpx.AsyncClient(base_url=url, trust_env=False) as api:
            answered = [await _is_answered(api) for _ in range(TRIES)]
        for one in half_sent:
            one.close()

    assert answered[-1]


async def _is_answered(api: httpx.AsyncClient) -> bool:
    await asyncio.sleep(0.1)
    try:
        return (await api.get("/healthz")).status_code == 200
    except httpx.TransportError:
        return False


async def test_a_slow_stream_of_answers_is_not_cut(rows: ReadModelUnderTest) -> None:
    """Only the head of a request has so little time."""
    app = make_app(rows.model, TOPIC)
    async with serving(app) as url, stream(url, "/api/executions/e-1/stream") as one:
        kind, *_ = await one.next()

    assert kind == "execution"


async def test_forwarded_addresses_are_believed_from_named_proxies_alone(
    rows: ReadModelUnderTest,
) -> None:
    """Else a caller could have a rate of his own for each made-up address."""
    protection = Protection(Policy(), rate_per_s=5)
    async with (
        serving(make_app(rows.model, TOPIC, protection=protection)) as url,
        httpx.AsyncClient(base_url=url, trust_env=False) as api,
    ):
        answers = [
            await api.get("/api/counts", headers={"X-Forwarded-For": f"10.0.0.{n}"})
            for n in range(40)
        ]

    assert 429 in {answer.status_code for answer in answers}
    assert all("server" not in answer.headers for answer in answers)
