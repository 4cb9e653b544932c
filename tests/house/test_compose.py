"""What keeps containers apart and within bounds: rules that a new service has to keep as well."""

import importlib
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from steplog import Step
from tests.house.deployment import DEPLOY, ONE_SHOTS, SERVICES, compose, dockerfile, service

# Who each process is to the database; the executor is nobody there.
LOGINS = {"migrate": "tracker_migrate", "tracker": "tracker_worker", "api": "tracker_api"}


def test_no_secret_stands_in_a_file() -> None:
    """A password is given from outside, and without one nothing starts."""
    environment = service("postgres")["environment"]
    passwords = {name: value for name, value in environment.items() if name.endswith("PASSWORD")}

    assert set(passwords) == {f"{who}_PASSWORD" for who in ("POSTGRES", "MIGRATE", "WORKER", "API")}
    for name, value in passwords.items():
        assert value == f"${{{name}:?choose one}}"
    for name, login in LOGINS.items():
        url = service(name)["environment"]["STEPLOG_DATABASE_URL"]
        password = passwords[f"{login.partition('_')[2].upper()}_PASSWORD"]
        assert url.startswith(f"postgresql://{login}:{password}@")
    assert not re.search(r"(?i)^(ENV|ARG) .*(password|secret|token)", dockerfile(), re.MULTILINE)
    assert not re.search(r"(?i)^[^-]*password '", (DEPLOY / "postgres/roles.sql").read_text())


def every_service() -> dict[str, dict[str, Any]]:
    """Return all services of the compose file; a rule holds for one that is added as well."""
    found: dict[str, dict[str, Any]] = compose()["services"]
    return found


def test_no_process_is_the_administrator_of_the_database() -> None:
    administrator = service("postgres")["environment"]["POSTGRES_USER"]
    with_rows = {
        name: re.sub(r"^\w+://(\w+):.*", r"\1", one["environment"]["STEPLOG_DATABASE_URL"])
        for name, one in every_service().items()
        if "STEPLOG_DATABASE_URL" in one["environment"]
    }

    assert with_rows == LOGINS
    assert administrator not in with_rows.values()
    assert not any("DATABASE_URL" in name for name in service("executor")["environment"])


def test_step_code_is_in_no_network_with_the_rows() -> None:
    networks = {name: set(one["networks"]) for name, one in every_service().items()}
    between = networks["executor"] & networks["postgres"]

    assert between == set()
    assert set().union(*networks.values()) == set(compose()["networks"])
    assert networks["kafka"] == {"log"}
    assert networks["postgres"] == {"rows"}
    for name in networks["kafka"] | networks["postgres"]:
        assert compose()["networks"][name] == {"internal": True}
    for name, one in every_service().items():
        needed = {"rows"} if "STEPLOG_DATABASE_URL" in one["environment"] else set()
        assert needed <= networks[name]


def test_every_container_is_bounded() -> None:
    for name, one in every_service().items():
        assert one["cap_drop"] == ["ALL"], name
        assert one["security_opt"] == ["no-new-privileges:true"], name
        assert re.fullmatch(r"\d+[mg]", str(one["mem_limit"])), name
        assert int(one["pids_limit"]) > 0, name
        assert one["logging"]["driver"] == "json-file", name
        assert {"max-size", "max-file"} <= one["logging"]["options"].keys(), name
        assert "privileged" not in one, name
        assert ("cap_add" in one) == (name == "postgres"), name


def test_our_own_containers_write_nowhere_but_where_it_is_said() -> None:
    for name in (*SERVICES, *ONE_SHOTS):
        assert service(name)["read_only"] is True
        assert service(name)["tmpfs"] == ["/tmp"]
    assert service("api")["volumes"] == [f"{one}:ro" for one in service("executor")["volumes"]]


def test_every_check_has_time_to_start_in_and_an_end() -> None:
    for name, one in every_service().items():
        if name not in ONE_SHOTS:
            assert {"interval", "timeout", "start_period"} <= one["healthcheck"].keys(), name
            assert one["restart"] == "unless-stopped", name


def test_the_executor_and_the_api_share_a_payload_store_that_the_image_can_write() -> None:
    stores = {service(name)["environment"]["STEPLOG_PAYLOAD_STORE"] for name in ("executor", "api")}
    (store,) = stores

    assert service("executor")["volumes"] == [f"payloads:{store}"]
    assert re.search(rf"install --directory --owner=10001 .*{store}$", dockerfile(), re.MULTILINE)


def test_the_heap_of_kafka_is_bounded_within_its_memory() -> None:
    heap = re.search(r"-Xmx(\d+)m", service("kafka")["environment"]["KAFKA_HEAP_OPTS"])

    assert heap is not None
    assert int(heap[1]) * 2 < int(service("kafka")["mem_limit"].removesuffix("m"))


def test_the_image_is_built_before_a_token_is_asked_for() -> None:
    """A token is made with the image: what asks for one first can't be begun."""
    text = (DEPLOY / "compose.yaml").read_text()

    assert "STEPLOG_API_TOKENS: ${STEPLOG_API_TOKENS:-}" in text
    assert [name for name, one in every_service().items() if "build" in one] == ["topics"]


def test_namespace_and_partitions_are_said_once() -> None:
    text = (DEPLOY / "compose.yaml").read_text()

    assert text.count("STEPLOG_TOPIC_NAMESPACE: ") == text.count("STEPLOG_PARTITIONS: ") == 1
    assert "--file" not in service("topics")["command"]
    for name in (*SERVICES, *ONE_SHOTS):
        assert {"STEPLOG_TOPIC_NAMESPACE", "STEPLOG_PARTITIONS"} <= service(name)[
            "environment"
        ].keys()


def test_the_example_is_an_image_of_ours_with_a_step_that_can_be_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    example = DEPLOY / "example"
    text = (example / "Dockerfile").read_text()
    monkeypatch.syspath_prepend(str(example))
    step = importlib.import_module("my_steps.greeting").Greet

    linted = subprocess.run(
        [Path(sys.executable).with_name("hadolint"), example / "Dockerfile"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert re.findall(r"^FROM (\S+)$", text, re.MULTILINE) == [service("topics")["image"]]
    assert "COPY my_steps /app/my_steps" in text
    assert issubclass(step, Step)
    assert (linted.returncode, linted.stdout) == (0, "")
