"""Who is let in, with which role, and what a browser may be made to do."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from steplog_contracts.commands import CancelExecution
from tests.conformance.stores import TOPIC, ReadModelUnderTest, sqlite_read_model
from tests.tracker.commands_kept import CommandsKept
from tests.tracker.histories import History, Log
from tracker_service.access.policy import Policy, policy_of
from tracker_service.access.roles import AccessRefused, Role
from tracker_service.access.tokens import Keyring, hash_of, new_token, token_line
from tracker_service.api_server.app import make_app
from tracker_service.http_api.context import Protection
from tracker_service.settings import Settings

TOKENS = {role: new_token() for role in Role}
LINES = ";".join(token_line(token, role.name.lower(), role) for role, token in TOKENS.items())


def bearer(role: Role) -> dict[str, str]:
    """Return the header of a role's token."""
    return {"Authorization": f"Bearer {TOKENS[role]}"}


@pytest.fixture
async def rows(tmp_path: Path) -> AsyncIterator[ReadModelUnderTest]:
    """Return a read model with one execution and one dead letter."""
    async with sqlite_read_model(tmp_path / "rows.db") as under_test:
        log = Log()
        broken = History("e-2").started()._replace(value=b"{secret")
        log.append([History("e-1").started(), broken])
        await under_test.receives(log.entries)
        yield under_test


def client(rows: ReadModelUnderTest, policy: Policy, **more: object) -> httpx.AsyncClient:
    """Return a client of a protected API."""
    app = make_app(
        rows.model,
        TOPIC,
        commands=more.pop("kept", CommandsKept()),  # type: ignore[arg-type]
        protection=Protection(policy, **more),  # type: ignore[arg-type]
    )
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://127.0.0.1")


def keyring() -> Policy:
    """A policy of tokens."""
    return Policy(Keyring(LINES))


@pytest.mark.parametrize(
    ("headers", "says"),
    [
        ({}, "wants to know who asks"),
        ({"Authorization": "Bearer nonsense"}, "not known here"),
        ({"Authorization": "Basic abc"}, "wants to know who asks"),
        ({"Authorization": f"Bearer {hash_of(TOKENS[Role.ADMIN])}"}, "not known here"),
    ],
)
async def test_who_has_no_token_is_told_so(
    rows: ReadModelUnderTest, headers: dict[str, str], says: str
) -> None:
    async with client(rows, keyring()) as api:
        answer = await api.get("/api/executions", headers=headers)

    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert says in answer.json()["detail"]


async def test_an_expired_token_is_none(rows: ReadModelUnderTest) -> None:
    token = new_token()
    line = token_line(token, "ann", Role.ADMIN, datetime.now(UTC) - timedelta(seconds=1))
    async with client(rows, Policy(Keyring(line))) as api:
        answer = await api.get("/api/executions", headers={"Authorization": f"Bearer {token}"})

    assert (answer.status_code, "has expired" in answer.json()["detail"]) == (401, True)


@pytest.mark.parametrize(
    ("role", "reads", "commands", "bytes_of_letters"),
    [(Role.VIEWER, 200, 403, 403), (Role.OPERATOR, 200, 202, 403), (Role.ADMIN, 200, 202, 200)],
)
async def test_each_role_may_do_its_part(
    rows: ReadModelUnderTest, role: Role, reads: int, commands: int, bytes_of_letters: int
) -> None:
    async with client(rows, keyring()) as api:
        api.headers.update(bearer(role))
        letters = (await api.get("/api/dead-letters")).json()["items"]
        answers = [
            await api.get("/api/executions"),
            await api.post("/api/executions/e-1/cancel"),
            await api.get(f"/api/dead-letters/{letters[0]['id']}"),
        ]

    assert [answer.status_code for answer in answers] == [reads, commands, bytes_of_letters]
    assert "value" not in letters[0]


async def test_a_command_names_its_caller_whatever_the_body_says(rows: ReadModelUnderTest) -> None:
    kept = CommandsKept()
    async with client(rows, keyring(), kept=kept) as api:
        await api.post("/api/executions/e-1/cancel", headers=bearer(Role.OPERATOR))

    ((_, command),) = kept.sent
    assert isinstance(command, CancelExecution)
    assert command.requested_by == "operator"


async def test_the_same_key_of_two_callers_makes_two_commands(rows: ReadModelUnderTest) -> None:
    kept = CommandsKept()
    async with client(rows, keyring(), kept=kept) as api:
        for role in (Role.OPERATOR, Role.ADMIN):
            headers = {**bearer(role), "Idempotency-Key": "k"}
            await api.post("/api/executions", json={"pipeline": "p"}, headers=headers)

    assert len({command_id for command_id, _ in kept.sent}) == 2


async def test_supervisors_need_no_token_and_metrics_do(rows: ReadModelUnderTest) -> None:
    async with client(rows, keyring()) as api:
        statuses = [
            (await api.get(path)).status_code for path in ("/healthz", "/readyz", "/metrics")
        ]

    assert statuses == [200, 200, 401]


async def test_a_file_of_tokens_is_read_again_when_it_changes(
    rows: ReadModelUnderTest, tmp_path: Path
) -> None:
    file = tmp_path / "tokens"
    file.write_text("# nobody yet\n" + token_line(TOKENS[Role.VIEWER], "v", Role.VIEWER))
    async with client(rows, Policy(Keyring(file=file, read_every_s=0.0))) as api:
        before = await api.get("/api/executions", headers=bearer(Role.ADMIN))
        file.write_text(token_line(TOKENS[Role.ADMIN], "a", Role.ADMIN))
        after = await api.get("/api/executions", headers=bearer(Role.ADMIN))
        gone = await api.get("/api/executions", headers=bearer(Role.VIEWER))
        file.write_text("no such form")
        spoiled = await api.get("/api/executions", headers=bearer(Role.ADMIN))

    assert [a.status_code for a in (before, after, gone, spoiled)] == [401, 200, 401, 200]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"api_host": "0.0.0.0"}, "let anybody in"),
        ({"api_host": "10.0.0.1"}, "let anybody in"),
        ({"api_host": "example.org"}, "let anybody in"),
        ({"api_tokens": "ann operator"}, "NAME ROLE SHA256"),
        ({"api_tokens": f"ann chief {'0' * 64}"}, "viewer, operator or admin"),
        ({"api_tokens": f"ann admin {TOKENS[Role.ADMIN]}"}, "must not stand there"),
        ({"api_tokens": f"ann admin {'0' * 64} soon"}, "no time"),
        ({"api_tokens": "# none"}, "No token is set"),
        ({"api_tokens_file": Path("/nowhere/tokens")}, "can't be read"),
        ({"api_oidc_issuer": "https://id.example"}, "AUDIENCE"),
        *(
            ({"api_oidc_issuer": issuer, "api_oidc_audience": "steplog"}, "https://")
            for issuer in ("http://i.example", "ftp://i.example", "file:" + "///etc", "id.example")
        ),
        *(
            ({"api_cors_origins": origins}, "no origin of pages")
            for origins in (
                "*",
                "null",
                "https://a.example,*",
                "a.example",
                "https://a.example/",
                "https://*.a",
                "https://a.example/path",
                "file:" + "//x",
                "https://",
                "https://a b",
            )
        ),
    ],
)
def test_access_that_protects_nothing_is_refused_at_the_start(
    given: dict[str, object], says: str
) -> None:
    with pytest.raises(AccessRefused, match=says):
        policy_of(Settings(**given))  # type: ignore[arg-type]


def test_loopback_is_open_and_tokens_close_it() -> None:
    assert all(policy_of(Settings(api_host=host)).is_open for host in ("127.0.0.1", "::1"))
    assert not policy_of(Settings(api_host="0.0.0.0", api_tokens=LINES)).is_open


@pytest.mark.parametrize(
    ("method", "headers", "status"),
    [
        ("GET", {"Host": "evil.example"}, 403),
        ("GET", {"Host": "localhost:8400"}, 200),
        ("GET", {"Origin": "https://evil.example"}, 200),
        ("POST", {"Origin": "https://evil.example"}, 403),
        ("POST", {"Origin": "null"}, 403),
        ("POST", {"Sec-Fetch-Site": "cross-site"}, 403),
        ("POST", {"Origin": "http://127.0.0.1"}, 202),
        ("POST", {}, 202),
    ],
)
async def test_a_foreign_page_can_send_no_command_to_an_open_api(
    rows: ReadModelUnderTest, method: str, headers: dict[str, str], status: int
) -> None:
    path = "/api/executions/e-1/cancel" if method == "POST" else "/api/executions"
    async with client(rows, policy_of(Settings())) as api:
        answer = await api.request(method, path, headers=headers)

    assert answer.status_code == status
    assert "access-control-allow-origin" not in answer.headers


async def test_origins_that_are_named_may_ask(rows: ReadModelUnderTest) -> None:
    policy = policy_of(Settings(api_cors_origins="https://board.example", api_tokens=LINES))
    origin = {"Origin": "https://board.example", "Access-Control-Request-Method": "POST"}
    async with client(rows, policy) as api:
        preflight = await api.options("/api/executions", headers=origin)
        unknown = await api.options("/api/executions", headers={**origin, "Origin": "https://x.y"})
        refused = await api.get("/api/executions", headers={"Origin": "https://board.example"})

    assert preflight.headers["access-control-allow-origin"] == "https://board.example"
    assert (preflight.status_code, unknown.status_code, refused.status_code) == (200, 400, 401)
    assert refused.headers["access-control-allow-origin"] == "https://board.example"


async def test_a_page_signs_in_with_a_cookie_no_script_can_read(rows: ReadModelUnderTest) -> None:
    own, foreign = {"Origin": "http://127.0.0.1"}, {"Origin": "https://evil.example"}
    async with client(rows, keyring()) as api:
        before = (await api.get("/api/session")).json()
        signed = await api.post("/api/session", json={"token": TOKENS[Role.OPERATOR]}, headers=own)
        listed = await api.get("/api/executions")
        sent = [
            (await api.post("/api/executions/e-1/cancel", headers=headers)).status_code
            for headers in (own, foreign, {})
        ]
        await api.delete("/api/session", headers=own)
        after = await api.get("/api/executions")

    assert before == {"name": None, "label": None, "role": None, "access": "token"}
    assert {"HttpOnly", "SameSite=strict"} <= set(signed.headers["set-cookie"].split("; "))
    assert (listed.status_code, sent, after.status_code) == (200, [202, 403, 403], 401)


async def test_who_asks_too_often_is_told_to_come_again(rows: ReadModelUnderTest) -> None:
    async with client(rows, Policy(), rate_per_s=3) as api:
        answers = [await api.get("/api/freshness") for _ in range(12)]

    limited = [answer for answer in answers if answer.status_code == 429]
    assert limited
    assert limited[0].headers["retry-after"] == "1"


async def test_answers_carry_the_headers_of_safety(rows: ReadModelUnderTest) -> None:
    async with client(rows, Policy()) as api:
        answer = await api.get("/api/executions")

    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-frame-options"] == "DENY"
