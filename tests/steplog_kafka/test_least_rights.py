"""The pair under exactly the rights that `steplog topics acls` lists, and without one of them."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import httpx
import pytest
import yaml

from steplog.admin.access_rights import Role, grant, rights
from steplog.local.ports import free_ports
from steplog_contracts.topics import topics_for
from steplog_kafka.settings import local_kafka
from tests.executor.support.partition_harness import linear
from tests.services import ROOT, Services
from tests.steplog.cli.command_line import is_one_sentence, steplog
from tests.steplog_kafka.secured_broker import PASSWORD, scram_password, unsigned_token
from tests.steplog_kafka.secured_pair import PRINCIPALS, SecuredPair

WAIT_S = 90.0
PATIENCE_S = 60.0
pytestmark = [pytest.mark.e2e, pytest.mark.broker, pytest.mark.database]


async def until(found: Callable[[], Awaitable[bool]]) -> None:
    """Return once something is so."""
    async with asyncio.timeout(WAIT_S):
        while not await found():  # noqa: ASYNC110 - other processes are waited for
            await asyncio.sleep(0.2)


async def test_the_pair_runs_under_the_listed_rights_alone(
    pair: SecuredPair, tmp_path: Path
) -> None:
    """Topics by the operator, an execution by the client, another by the API, read back by both."""
    await pair.grant(*Role)
    await pair.make_topics()
    services = pair.services
    services.start_executor(**pair.executor)
    services.start_tracker(**pair.tracker)
    (port,) = free_ports(1)
    services.start_api(port, **pair.api)
    await asyncio.to_thread(services.wait_ready)
    definition = tmp_path / "quick.json"
    definition.write_text(json.dumps(linear("Quick")))
    sent = await asyncio.to_thread(
        pair.command_line, "client", "run", str(definition), "--id", "by-client"
    )
    async with httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=PATIENCE_S
    ) as api:
        await until(lambda: _completed(api, "by-client"))
        body = {"definition": linear("Quick"), "execution_id": "by-api"}
        posted = await api.post("/api/executions?timeout_ms=30000", json=body)
        await until(lambda: _completed(api, "by-api"))
        recorded = (await api.get("/api/executions/by-api/events")).json()["items"]

    assert sent.exit_code == 0, sent.err
    assert posted.status_code == 202
    assert [event["seq"] for event in recorded] == list(range(1, len(recorded) + 1))
    for process in ("executor", "tracker", "api"):
        assert _shows_no_secret((tmp_path / f"{process}.log").read_text())


async def test_who_may_not_write_commands_is_told_so(pair: SecuredPair, tmp_path: Path) -> None:
    await pair.make_topics()
    definition = tmp_path / "quick.json"
    definition.write_text(json.dumps(linear("Quick")))

    ended = await asyncio.to_thread(pair.command_line, "nobody", "run", str(definition))

    assert is_one_sentence(ended), ended.err
    assert "the user 'nobody' lacks a right" in ended.err


async def test_who_may_not_create_topics_is_told_so(pair: SecuredPair) -> None:
    ended = await asyncio.to_thread(pair.command_line, "nobody", "topics", "apply")

    assert is_one_sentence(ended), ended.err
    assert "the user 'nobody' lacks" in ended.err


@pytest.mark.parametrize("missing", ["topics", "group"])
async def test_an_executor_without_its_rights_ends_with_a_sentence(
    pair: SecuredPair, missing: str
) -> None:
    await pair.make_topics()
    if missing == "group":
        wanted = rights(pair.topics, "other-group", "other-group")
        await grant(local_kafka(pair.secured.address), wanted, PRINCIPALS)

    told = await _ends(pair.services, "executor", pair.executor)

    kind = "the group" if missing == "group" else "a right on the topic"
    assert (
        f"the user 'executor' lacks {'the right to read as ' if missing == 'group' else ''}{kind}"
        in told
    )
    assert _shows_no_secret(told)


async def test_a_tracker_without_its_rights_ends_with_a_sentence(pair: SecuredPair) -> None:
    await pair.make_topics()

    told = await _ends(pair.services, "tracker", pair.tracker)

    assert "lacks a right on the topic" in told


@pytest.mark.parametrize("process", ["executor", "tracker"])
async def test_a_service_with_a_wrong_secret_ends_with_a_sentence(
    pair: SecuredPair, process: str
) -> None:
    wrong = pair.by_password("executor") | {"STEPLOG_KAFKA_SASL_PASSWORD": "wr0ng-s3cret"}

    told = await _ends(pair.services, process, wrong)

    assert "does not let the user 'executor' in" in told
    assert _shows_no_secret(told)


def test_the_rights_in_deploy_are_the_ones_of_the_command() -> None:
    """What is reviewed there is what `--apply` grants."""
    declared = yaml.safe_load((ROOT / "deploy/kafka/acls.yaml").read_text())
    wanted = rights(topics_for(), "steplog.executor", "steplog.tracker")

    assert declared == [
        {
            "principal": f"User:steplog-{right.role}",
            right.resource: right.name,
            "operations": list(right.operations),
        }
        for right in wanted
    ]


def test_a_role_nobody_knows_is_refused() -> None:
    ended = steplog("topics", "acls", "--principal", "boss=User:x")

    assert is_one_sentence(ended)
    assert "roles are executor, tracker, api, client, reader, operator" in ended.err


async def _ends(services: Services, process: str, environment: Mapping[str, str]) -> str:
    start = services.start_executor if process == "executor" else services.start_tracker
    child = start(**environment)

    async def has_ended() -> bool:
        return child.exit_code is not None

    await until(has_ended)
    assert child.exit_code not in (0, None)
    return (services.folder / f"{process}.log").read_text()


async def _completed(api: httpx.AsyncClient, execution_id: str) -> bool:
    try:
        answer = await api.get(f"/api/executions/{execution_id}")
    except httpx.TransportError:
        return False
    return (
        answer.status_code == httpx.codes.OK and answer.json()["execution"]["status"] == "completed"
    )


def _shows_no_secret(text: str) -> bool:
    secrets = (PASSWORD, scram_password("executor"), "wr0ng-s3cret", unsigned_token("api")[:20])
    return not any(secret in text for secret in secrets)
