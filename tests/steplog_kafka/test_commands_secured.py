"""The command line and the client against a broker of TLS and users, with the listed rights."""

import asyncio
import json
from pathlib import Path

import httpx
import pytest

from executor_service.ports.resume_point import ResumePoint
from steplog.admin.access_rights import Role
from steplog.client.addresses import Addresses
from steplog.client.client import Steplog
from steplog.local.ports import free_ports
from steplog_kafka.settings import kafka_settings
from tests.executor.support import people_steps
from tests.executor.support.partition_harness import linear
from tests.integration.test_command_offsets import commit, send
from tests.steplog.cli.command_line import Ended, is_one_sentence, steplog
from tests.steplog_kafka.secured_broker import PASSWORD
from tests.steplog_kafka.secured_pair import SecuredPair

pytestmark = [pytest.mark.e2e, pytest.mark.broker, pytest.mark.database]
STEPS = people_steps.__name__


async def as_operator(pair: SecuredPair, *arguments: str, **variables: str) -> Ended:
    """Run a command that has to succeed."""
    ended = await asyncio.to_thread(pair.command_line, "operator", *arguments, **variables)
    assert ended.exit_code == 0, (arguments, ended.err)
    return ended


def a_flow(folder: Path) -> str:
    """Return the path of a definition."""
    path = folder / "quick.json"
    path.write_text(json.dumps(linear("Quick")))
    return str(path)


async def test_every_command_works_for_the_operator(pair: SecuredPair, tmp_path: Path) -> None:
    services, copy = pair.services, f"{pair.services.namespace}-copy"
    database = {"DATABASE_URL": services.database_url}
    await pair.grant(*Role)
    await pair.grant(Role.OPERATOR, namespace=copy)
    moved = f"{pair.services.namespace}-moved"
    await pair.grant(Role.OPERATOR, namespace=moved)
    applied = await as_operator(pair, "topics", "apply", "--json")
    services.start_executor(**pair.executor)
    services.start_tracker(**pair.tracker)
    (port,) = free_ports(1)
    services.start_api(port, **pair.api)
    await asyncio.to_thread(services.wait_ready)
    await api_ready(port)
    api = {"STEPLOG_API_URL": f"http://127.0.0.1:{port}"}

    ran = await as_operator(pair, "run", a_flow(tmp_path), "--id", "one", "--wait", **api)
    events = await as_operator(pair, "events", "one", "--json", **api)
    archive = tmp_path / "all.jsonl"
    await as_operator(pair, "export", "--all", "--out", str(archive), **api)
    verified = await as_operator(pair, "verify", "--all", "--json", **database)
    await as_operator(pair, "rebuild", **database)
    imported = await as_operator(
        pair, "import", str(archive), "--into-namespace", copy, "--replication-factor", "1"
    )
    file = tmp_path / "embedded.db"
    told = ("--embedded", "--data", str(file))
    embedded = await asyncio.to_thread(
        steplog, "run", a_flow(tmp_path), "--wait", *told, env={"STEPLOG_STEP_MODULES": STEPS}
    )
    assert embedded.exit_code == 0, embedded.err
    await as_operator(pair, "move", "--data", str(file), "--into-namespace", moved)

    assert {one["replication_factor"] for one in json.loads(applied.out)} == {1}
    assert "completed" in ran.out
    assert len(events.out.splitlines()) > 1
    assert archive.stat().st_size > 0
    assert json.loads(verified.out)
    assert copy in imported.out


async def test_the_local_stack_works_on_a_secured_broker(pair: SecuredPair, tmp_path: Path) -> None:
    """All of its processes come as one user, who has the rights of each."""
    await pair.grant(*Role, to="operator")
    (port,) = free_ports(1)
    stack = {
        "STEPLOG_DATA_DIR": str(tmp_path / "stack"),
        "DATABASE_URL": pair.services.database_url,
        "STEPLOG_STEP_MODULES": STEPS,
        "STEPLOG_API_PORT": str(port),
        "STEPLOG_API_URL": f"http://127.0.0.1:{port}",
    }
    await as_operator(pair, "up", "--detach", **stack)
    try:
        ran = await as_operator(pair, "run", a_flow(tmp_path), "--id", "up", "--wait", **stack)
        status = await as_operator(pair, "status", "--json", **stack)
    finally:
        down = await as_operator(pair, "down", **stack)

    assert "completed" in ran.out
    assert down.exit_code == 0
    assert PASSWORD not in status.out + written(tmp_path)


async def test_commands_are_reset_and_skipped_under_the_operators_rights(
    pair: SecuredPair,
) -> None:
    await pair.make_topics()
    group = f"{pair.services.namespace}.executor"
    await send(pair.secured.address, pair.topics)
    await commit(pair.secured.address, pair.topics, group, ResumePoint(99, 0, None))

    reset = await as_operator(pair, "commands", "reset", "--to", "beginning", "--json")
    again = await as_operator(pair, "commands", "reset", "--to", "beginning", "--json")
    skipped = await as_operator(pair, "commands", "skip", "--offset", "0")

    (found,) = json.loads(reset.out)
    assert (found["committed"], found["goes_on_at"], found["changed"]) == (99, 0, True)
    assert json.loads(again.out) == []
    assert "is skipped" in skipped.out


@pytest.mark.parametrize(
    "arguments",
    [("commands", "reset", "--to", "end"), ("commands", "skip", "--offset", "0")],
    ids=["reset", "skip"],
)
async def test_who_has_no_right_to_it_is_told_so(
    pair: SecuredPair, arguments: tuple[str, ...]
) -> None:
    await pair.make_topics()

    ended = await asyncio.to_thread(pair.command_line, "nobody", *arguments)

    assert is_one_sentence(ended), ended.err
    assert "the user 'nobody' lacks" in ended.err


async def test_a_client_takes_settings_made_in_code(pair: SecuredPair) -> None:
    """No variable says how the broker is reached."""
    await pair.grant(Role.CLIENT)
    await pair.make_topics()
    secured = pair.secured
    kafka = kafka_settings(
        f"127.0.0.1:{secured.ports['SASL_SSL']}",
        security_protocol="SASL_SSL",
        ssl_cafile=secured.authority.file,
        sasl_mechanism="PLAIN",
        sasl_username="client",
        sasl_password=PASSWORD,
    )

    async with Steplog.connect(Addresses(kafka, "http://127.0.0.1:1", pair.topics)) as client:
        submitted = await client.run(linear("Quick"), execution_id="in-code")

    assert submitted.execution_id == "in-code"
    assert PASSWORD not in repr(kafka)


def written(folder: Path) -> str:
    """Return all that the stack's processes logged; there is something."""
    logs = [log.read_text() for log in folder.rglob("*.log")]
    assert any(logs)
    return "".join(logs)


async def api_ready(port: int) -> None:
    """Return once the API answers from rows."""
    async with (
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as api,
        asyncio.timeout(90),
    ):
        while True:
            try:
                if (await api.get("/readyz")).is_success:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.1)
