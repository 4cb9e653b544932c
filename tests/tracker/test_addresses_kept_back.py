"""No answer of the API names an address, a user or a place of what lies behind it.

Every class of errors is tried, and every route over servers that are not there.
"""

import importlib
import logging
import pkgutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import ModuleType
from typing import Final

import httpx
import pytest
from fastapi import FastAPI

import steplog_contracts
import steplog_kafka
import tracker_service
from steplog_contracts.errors import SteplogError
from steplog_contracts.events import ExecutionCompleted
from steplog_kafka.settings import KafkaSettings
from tests.conformance.stores import TOPIC, sqlite_read_model
from tests.tracker.canary import canary_log
from tests.tracker.commands_kept import CommandsKept
from tests.tracker.histories import History
from tests.tracker.http_api.test_masks import PATHS, STREAMS
from tests.tracker.http_api.test_read_model_away import Away
from tests.tracker.test_payload_reader import REFERENCE, SHA256
from tracker_service.access.issuer import Issuer, IssuerSettings
from tracker_service.access.policy import Policy
from tracker_service.api_server.app import make_app
from tracker_service.http_api.context import Protection
from tracker_service.http_api.problems import of_error, status_of
from tracker_service.log.kafka_command_sink import KafkaCommands
from tracker_service.log.kafka_events_log import KafkaEventsLog
from tracker_service.payload_reader import FsspecReader
from tracker_service.store.errors import StoreError
from tracker_service.store.postgres.read_model import PostgresReadModel

# Nobody listens on port 1, and a name below `.invalid` (RFC 2606) is nobody's.
KAFKA: Final = "127.0.0.1:1,brokers.invalid:9099"
DATABASES: Final = (
    "postgresql://reader:pass-7@127.0.0.1:1/rows-7",
    "postgresql://reader:pass-7@rows.invalid:5999/rows-7",
    "postgresql://reader@/rows-7?host=/nosuch/socket-7",
    "postgresql://reader@127.0.0.1:1/rows-7?sslmode=verify-full&sslrootcert=/nosuch/ca-7.pem",
)
BEHIND: Final = (
    "127.0.0.1", "brokers.invalid", "9099", "rows.invalid", "5999", "reader", "pass-7",
    "rows-7", "socket-7", "ca-7", "issuer.invalid", "store-7",
)  # fmt: skip
# An execution of the log with a value in the payload store.
STORED_APART: Final = "e-9"
KEYS: Final[tuple[dict[str, str], ...]] = ({}, {"Idempotency-Key": "k-1"})
COMMANDS: Final = (
    ("/api/executions", {"pipeline": "weather"}),
    ("/api/executions/e-1/cancel", {}),
    ("/api/executions/e-1/retry", {}),
    ("/api/execute/weather", {}),
)


def modules_of(package: ModuleType) -> Iterator[str]:
    """Yield the names of a package's modules; one that runs when it is imported is none."""
    for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if not found.name.endswith("__main__"):
            yield found.name


def every_error() -> list[type[SteplogError]]:
    """Return the classes of errors that a process of the API may raise."""
    for package in (tracker_service, steplog_kafka, steplog_contracts):
        for name in modules_of(package):
            importlib.import_module(name)
    found, new = set[type[SteplogError]](), {SteplogError}
    while new:
        found |= new
        new = {below for one in new for below in one.__subclasses__()} - found
    return sorted(found, key=lambda kind: kind.__qualname__)


def test_an_error_that_is_not_about_the_request_keeps_its_text_to_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The rule is by class, so a new one hides its text until it is given a status on purpose."""
    text, kept_back = "at brokers.invalid:9099 for reader", 0
    caplog.set_level(logging.CRITICAL)
    for kind in every_error():
        error = kind.__new__(kind, text)
        error.args = (text,)
        if status_of(error) is not None:
            continue
        response = of_error(error)

        assert response.status_code == 503
        assert shown(bytes(response.body).decode()) == [], kind
        kept_back += 1
    assert kept_back > 20


def shown(text: str) -> list[str]:
    """Return what a text shows of what lies behind the API."""
    return [one for one in BEHIND if one in text]


def paths(app: FastAPI) -> list[str]:
    """Return every path that can be asked, and the pages beside them."""
    templates = [
        path
        for path, methods in app.openapi()["paths"].items()
        if "get" in methods and path not in STREAMS
    ]
    values = {name: given[0] for name, given in PATHS.items()}
    more = ("/", "/executions/e-1", "/health", f"/api/executions/{STORED_APART}/payloads/{SHA256}")
    return [one.format(**values) for one in (*templates, *more)]


async def asked(app: FastAPI, headers: dict[str, str] | None = None) -> dict[str, tuple[int, str]]:
    """Return what each path answers, by path; commands are sent with a key and without one."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    found = {}
    async with httpx.AsyncClient(
        transport=transport, base_url="http://api", headers=headers, timeout=60
    ) as api:
        for path in [*paths(app), "/api/executions/e-1?at_seq=2", "/api/executions?as_of=0"]:
            answer = await api.get(path)
            found[path] = (answer.status_code, answer.text + str(answer.headers))
        for path, body in COMMANDS:
            for key in KEYS:
                answer = await api.post(path, json=body, headers=key)
                found[f"{path} {key}"] = (answer.status_code, answer.text + str(answer.headers))
    return found


@pytest.fixture
def kafka() -> KafkaSettings:
    """Return settings of brokers that are not there."""
    return KafkaSettings(bootstrap_servers=KAFKA, request_timeout_ms=1_000)


@pytest.fixture
async def commands(kafka: KafkaSettings) -> AsyncIterator[KafkaCommands]:
    """Return a sink over brokers that are not there."""
    sink = KafkaCommands(kafka, "t.commands")
    yield sink
    await sink.close()


@pytest.mark.parametrize("url", DATABASES)
async def test_a_database_that_is_away_is_not_named(tmp_path: Path, url: str) -> None:
    with pytest.raises(StoreError) as raised:
        await PostgresReadModel(url).open()
    async with sqlite_read_model(tmp_path / "rows.db") as rows:
        model = Away(rows.model)
        model.error = raised.value
        found = await asked(make_app(model, TOPIC, commands=CommandsKept()))  # type: ignore[arg-type]

    assert found["/api/executions/e-1"][0] == 503
    assert found["/api/executions/e-1/cancel {}"][0] == 202
    assert {path: shown(text) for path, (_, text) in found.items() if shown(text)} == {}


async def test_brokers_and_a_store_that_are_away_are_not_named(
    tmp_path: Path, kafka: KafkaSettings, commands: KafkaCommands
) -> None:
    store = tmp_path / "store-7"
    store.write_text("no folder")
    async with sqlite_read_model(tmp_path / "rows.db") as rows:
        entries = canary_log()
        apart = History(STORED_APART)
        entries.append([apart.started(input=1)])
        entries.append([apart.record(ExecutionCompleted(references={"/output": REFERENCE}))])
        await rows.receives(entries.entries)
        log = KafkaEventsLog(kafka, TOPIC)
        app = make_app(rows.model, TOPIC, log, FsspecReader(str(store)), commands)
        found = await asked(app)

    assert found["/api/executions/e-1/events"][0] == 503
    assert found[f"/api/executions/{STORED_APART}/payloads/{SHA256}"][0] == 503
    assert [found[f"/api/execute/weather {key}"][0] for key in KEYS] == [503, 503]
    assert {path: shown(text) for path, (_, text) in found.items() if shown(text)} == {}


async def test_an_issuer_that_is_away_is_not_named(tmp_path: Path) -> None:
    issuer = Issuer(IssuerSettings("https://issuer.invalid", "steplog"))
    # A head that names a key: the issuer is asked for it.
    token = "eyJhbGciOiJSUzI1NiIsImtpZCI6ImsifQ.e30.c2ln"
    async with sqlite_read_model(tmp_path / "rows.db") as rows:
        app = make_app(rows.model, TOPIC, protection=Protection(Policy(issuer=issuer)))
        found = await asked(app, {"Authorization": f"Bearer {token}"})

    assert found["/api/executions"][0] == 503
    assert {path: shown(text) for path, (_, text) in found.items() if shown(text)} == {}
