"""The worker, the API, steps and the command line on a PostgreSQL that asks for TLS."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest
from aiokafka import AIOKafkaProducer

from executor_service import DatabaseManager
from executor_service.steps.database import DatabaseError
from steplog.local.ports import free_ports
from tests.benchmarks.load import send_all
from tests.conftest import ServicesFactory
from tests.e2e.rows import ended_rows
from tests.e2e.test_pair import commands
from tests.integration import tls_postgres as tls
from tests.integration.test_pgbouncer import api_answers
from tests.integration.tls_postgres import BY_CERTIFICATE, TlsPostgres
from tests.services import create_topics
from tests.steplog.cli.command_line import Ended, is_one_sentence, steplog
from tests.steplog_kafka.certificates import DAY, Authority
from tracker_service.store.errors import StoreRefused
from tracker_service.store.postgres.store import PostgresStore

EXECUTIONS = 20
WRONG = "wr0ng-s3cret"
NO_KAFKA = "127.0.0.1:1"
ENCRYPTED = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
ALL_ENCRYPTED = (
    "SELECT count(*), bool_and(ssl), bool_and(usename = $1) FROM pg_stat_ssl JOIN pg_stat_activity "
    "USING (pid) WHERE application_name LIKE 'steplog%'"
)
SAID = {
    "wrong authority": "is not to be trusted",
    "expired server": "PostgreSQL's certificate has expired",
    "expired client": "look whether the certificate that sslcert names has expired",
    "unknown client": "whether the server knows the authority that signed it",
    "no certificate": "name one with sslcert and sslkey",
    "wrong password": "correct the user or the password",
    "not encrypted": "set sslmode=verify-full",
    "missing file": "there is no such file that can be read",
    "other key": "the key must belong to the certificate",
    "misspelt mode": "use one of disable, allow, prefer, require, verify-ca, verify-full",
}
pytestmark = [pytest.mark.broker, pytest.mark.database]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsPostgres]:
    """Yield a server whose certificate is good."""
    with tls.tls_postgres(tmp_path_factory.mktemp("tls")) as found:
        yield found


@pytest.fixture(scope="module")
def wrong_urls(
    server: TlsPostgres, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, str]]:
    """Yield a URL for each way not to be let in."""
    folder = tmp_path_factory.mktemp("strangers")
    strangers = Authority(folder)
    stranger = strangers.issue(BY_CERTIFICATE)
    good = server.authority.issue(BY_CERTIFICATE).moved(folder / "good")
    old = server.authority.issue(BY_CERTIFICATE, valid=(-2 * DAY, -DAY / 2)).moved(folder / "old")
    with tls.tls_postgres(folder / "expired", expired=True) as expired:
        yield {
            "wrong authority": server.url(sslrootcert=strangers.file),
            "expired server": expired.url(),
            "expired client": server.url_by_certificate(old),
            "unknown client": server.url_by_certificate(stranger),
            "no certificate": server.url(BY_CERTIFICATE, None),
            "wrong password": server.url(password=WRONG),
            "not encrypted": server.url(sslmode="disable"),
            "missing file": server.url(sslrootcert=folder / "none.pem"),
            "other key": server.url(sslcert=good.certificate, sslkey=stranger.key),
            "misspelt mode": server.url(sslmode="verify_full"),
        }


@pytest.fixture(autouse=True)
async def closed() -> AsyncIterator[None]:
    """Let what was refused be closed: by TLS that takes turns of the loop."""
    yield
    await asyncio.sleep(tls.POLL_S)


@pytest.fixture
def certified_url(server: TlsPostgres, tmp_path: Path) -> str:
    """Return the URL of a user who comes with a certificate of its own."""
    return server.url_by_certificate(server.authority.issue(BY_CERTIFICATE).moved(tmp_path))


async def test_worker_and_api_come_encrypted_and_by_certificate(
    make_services: ServicesFactory, server: TlsPostgres, certified_url: str
) -> None:
    services = make_services("tests.e2e.weather_shape", DATABASE_URL=certified_url)
    await create_topics(services.bootstrap_servers, services.topics)
    services.start_executor()
    services.start_tracker()
    _, records = commands(EXECUTIONS)
    async with AIOKafkaProducer(bootstrap_servers=services.bootstrap_servers) as producer:
        await send_all(producer, services.topics, records)
    database = await asyncpg.connect(server.url())
    try:
        ended = await ended_rows(database, at_least=EXECUTIONS)
        (port,) = free_ports(1)
        services.start_api(port)
        items = await api_answers(port)
        connections, encrypted, certified = await database.fetchrow(ALL_ENCRYPTED, BY_CERTIFICATE)
    finally:
        await database.close()

    assert ended == EXECUTIONS
    assert len(items) == EXECUTIONS
    assert connections > 0
    assert (encrypted, certified) == (True, True)


@pytest.mark.parametrize("by", ["password", "certificate"])
async def test_steps_come_encrypted_as_their_url_says(
    server: TlsPostgres, certified_url: str, by: str
) -> None:
    database = DatabaseManager(server.url() if by == "password" else certified_url)

    row = await database.fetch_one(ENCRYPTED)
    await database.disconnect()

    assert row == {"ssl": True}


@pytest.mark.parametrize("case", SAID)
async def test_steps_that_are_not_let_in_learn_why(wrong_urls: dict[str, str], case: str) -> None:
    with pytest.raises(DatabaseError) as refused:
        await DatabaseManager(wrong_urls[case]).connect()

    assert SAID[case] in str(refused.value)
    assert WRONG not in str(refused.value)


@pytest.mark.parametrize("case", SAID)
async def test_a_read_model_that_is_not_let_in_learns_why(
    wrong_urls: dict[str, str], case: str
) -> None:
    with pytest.raises(StoreRefused) as refused:
        await PostgresStore(wrong_urls[case]).open()

    assert SAID[case] in str(refused.value)


@pytest.mark.parametrize("case", SAID)
async def test_the_command_line_says_it_in_one_sentence(
    wrong_urls: dict[str, str], case: str
) -> None:
    environment = {"DATABASE_URL": wrong_urls[case], "KAFKA_BOOTSTRAP_SERVERS": NO_KAFKA}

    ended: Ended = await asyncio.to_thread(steplog, "rebuild", "--drop-old", env=environment)

    assert is_one_sentence(ended), ended.err
    assert SAID[case] in ended.err
    assert WRONG not in ended.err


@pytest.mark.parametrize(
    "case", ["wrong authority", "expired server", "wrong password", "no certificate"]
)
async def test_a_worker_ends_at_its_start_with_a_sentence(
    make_services: ServicesFactory, wrong_urls: dict[str, str], case: str
) -> None:
    services = make_services("tests.e2e.weather_shape", DATABASE_URL=wrong_urls[case])
    await create_topics(services.bootstrap_servers, services.topics)
    worker = services.start_tracker()
    async with asyncio.timeout(tls.START_TIMEOUT_S):
        while worker.exit_code is None:  # noqa: ASYNC110 - another process is waited for
            await asyncio.sleep(tls.POLL_S)
    told = (services.folder / "tracker.log").read_text()

    assert worker.exit_code != 0
    assert SAID[case] in told
    assert "Traceback" not in told
    assert WRONG not in told


def test_a_machine_without_the_server_fails_with_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tls, "FOLDERS", (str(tmp_path),))

    with pytest.raises(AssertionError, match="install the package postgresql"):
        tls.programs()
