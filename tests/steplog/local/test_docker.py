"""Servers in containers, as an engine is asked for them.

Where a real engine answers, every test of this repository that needs a server runs on these
containers; here the requests themselves are held to the engine's interface.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from testcontainers.core.config import testcontainers_config

from steplog.local.docker import KafkaContainer, PostgresContainer, engine_answers
from steplog.local.server_choice import choose_kafka, choose_postgres
from tests.steplog.local.fake_engine import FakeEngine


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeEngine]:
    """Return an engine that the environment names."""
    with FakeEngine(tmp_path / "engine.sock") as engine:
        monkeypatch.setenv("DOCKER_HOST", engine.url)
        # The reaper is a container of its own, over TCP; a fake engine has none.
        monkeypatch.setattr(testcontainers_config, "ryuk_disabled", True)
        yield engine


def test_an_engine_that_answers_is_chosen_before_local_servers(
    engine: FakeEngine, tmp_path: Path
) -> None:
    kinds = (choose_kafka(tmp_path, {}).kind, choose_postgres(tmp_path, {}).kind)

    assert kinds == ("docker", "docker")


def test_an_engine_of_another_machine_is_none_for_us(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://elsewhere:2375")

    assert not engine_answers()


def test_a_broker_is_published_on_the_loopback_address_alone(
    engine: FakeEngine, tmp_path: Path
) -> None:
    server = KafkaContainer(tmp_path / "kafka")
    server.start().stop()

    port = server.address.partition(":")[2]
    bindings = engine.created["HostConfig"]["PortBindings"]
    assert bindings == {"9092/tcp": [{"HostIp": "127.0.0.1", "HostPort": port}]}
    assert f"KAFKA_ADVERTISED_LISTENERS=PLAINTEXT://{server.address}" in engine.created["Env"]


def test_a_container_keeps_its_data_in_a_volume_of_its_folder(
    engine: FakeEngine, tmp_path: Path
) -> None:
    volumes = []
    for name in ("one", "two", "one"):
        PostgresContainer(tmp_path / name).start().stop()
        volumes.append(engine.created["HostConfig"]["Binds"][0].partition(":")[0])

    assert volumes[0] == volumes[2] != volumes[1]


def test_the_password_of_a_volume_is_kept_beside_it(engine: FakeEngine, tmp_path: Path) -> None:
    """The image sets it once, when it makes the volume's files."""
    first, second = (PostgresContainer(tmp_path / "postgres") for _ in range(2))

    assert first.address.rpartition("@")[0] == second.address.rpartition("@")[0]
    assert (tmp_path / "postgres" / "password").stat().st_mode & 0o077 == 0


def test_a_container_that_ended_is_noticed_with_its_code(
    engine: FakeEngine, tmp_path: Path
) -> None:
    running = KafkaContainer(tmp_path / "kafka").start()
    before = running.exit_code
    engine.status = "exited"

    assert (before, running.exit_code) == (None, 137)
    running.stop()


def test_a_stopped_container_is_stopped_then_removed(engine: FakeEngine, tmp_path: Path) -> None:
    running = KafkaContainer(tmp_path / "kafka").start()
    running.ask_to_stop()
    running.stop()
    running.stop()

    verbs = [line.replace(line.split("/")[2], "ID", 1) for line in engine.asked if "c0ffee" in line]
    changing = [verb for verb in verbs if not verb.startswith("GET")]
    assert changing == [
        "POST /containers/ID/start",
        "POST /containers/ID/kill",
        "POST /containers/ID/stop",
        "DELETE /containers/ID",
    ]
