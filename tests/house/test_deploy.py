"""What is deployed is in step with the code, even where no Docker engine runs."""

import importlib.util
import inspect
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from compose_spec import PyCompose
from pydantic import AliasChoices
from pydantic_settings import BaseSettings

from executor_service.settings import ExecutorSettings
from steplog import health
from steplog.admin.topics_file import read_topics_file
from steplog.local.kafka_jars import KAFKA_VERSION
from steplog.local.kafka_properties import broker_settings
from steplog.local.postgres_programs import POSTGRES_MAJOR_VERSION
from steplog.settings import SteplogSettings
from steplog_contracts.topics import topics_for
from tests.house.deployment import (
    DEPLOY,
    ONE_SHOTS,
    SERVICES,
    commands,
    compose,
    dockerfile,
    health_checks,
    image_variables,
    images,
    service,
    steplog_variables,
)
from tests.house.readme import parse_steplog
from tests.house.rules import ROOT
from tracker_service.api_server.app import make_app
from tracker_service.settings import Settings as TrackerSettings
from tracker_service.store.postgres.read_model import PostgresReadModel

SETTINGS: dict[str, tuple[type[BaseSettings], ...]] = {
    "executor": (ExecutorSettings,),
    "tracker": (TrackerSettings,),
    "api": (TrackerSettings,),
    "migrate": (TrackerSettings,),
    "topics": (SteplogSettings,),
}
# The executor listens on no port, and only the API is published.
LISTENS = {"api"}


def variables_of(settings: type[BaseSettings]) -> dict[str, Any]:
    """Return each variable a settings class reads, with its default."""
    found = {}
    for name, field in settings.model_fields.items():
        alias = field.validation_alias
        choices = alias.choices if isinstance(alias, AliasChoices) else [f"STEPLOG_{name.upper()}"]
        found.update({str(choice): field.default for choice in choices})
    return found


def test_the_dockerfile_passes_the_linter() -> None:
    linter = Path(sys.executable).with_name("hadolint")

    done = subprocess.run(
        [linter, DEPLOY / "Dockerfile"], capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stdout) == (0, "")


def test_the_image_runs_without_root() -> None:
    users = re.findall(r"^USER (\S+)$", dockerfile(), re.MULTILINE)

    assert users
    assert users[-1] not in {"root", "0"}


def test_everything_the_image_copies_is_in_its_build_context() -> None:
    """A file that is ignored fails the build, on another machine and much later."""
    allowed = (DEPLOY.parent / ".dockerignore").read_text().splitlines()
    copied = [
        source
        for line in re.findall(r"^COPY (?!--from)(.*)$", dockerfile(), re.MULTILINE)
        for source in line.split()[:-1]
    ]

    assert copied
    assert [source for source in copied if f"!{source}" not in allowed] == []
    assert [source for source in copied if not (DEPLOY.parent / source).exists()] == []


def test_the_compose_file_keeps_the_specification() -> None:
    parsed = PyCompose.from_yaml(yaml.safe_dump(compose()))

    parsed.validate()
    assert set(SERVICES) <= set(compose()["services"])


def test_what_services_wait_for_exists_and_can_come_true() -> None:
    services = compose()["services"]
    for name, one in services.items():
        for needed, how in one.get("depends_on", {}).items():
            has_check = not services[needed].get("healthcheck", {}).get("disable", False)
            wanted = "service_healthy" if has_check else "service_completed_successfully"

            assert how["condition"] == wanted, f"{name} waits for {needed}"


def test_every_service_has_a_health_check_and_one_shots_have_none() -> None:
    for name, one in compose()["services"].items():
        disabled = one.get("healthcheck", {}).get("disable", False)

        assert disabled == (name in ONE_SHOTS)
        assert disabled or one["healthcheck"]["test"][0] == "CMD"


def test_named_volumes_are_declared() -> None:
    used = {
        volume.partition(":")[0]
        for one in compose()["services"].values()
        for volume in one.get("volumes", [])
        if not volume.startswith("./")
    }

    assert used == set(compose()["volumes"])


@pytest.mark.parametrize("name", SETTINGS)
def test_every_variable_is_one_its_process_reads(name: str) -> None:
    known = {v for settings in SETTINGS[name] for v in variables_of(settings)}

    assert steplog_variables(service(name)["environment"]) - known == set()


@pytest.mark.parametrize("name", SETTINGS)
def test_no_default_that_means_this_machine_is_left_standing(name: str) -> None:
    """Inside a container 127.0.0.1 is nobody else."""
    settings = SETTINGS[name][0]
    local = {v for v, default in variables_of(settings).items() if "127.0.0.1" in str(default)}
    wanted = {v for v in local if v.startswith("STEPLOG_")} - {"STEPLOG_TRACKER_METRICS_HOST"}
    if name == "migrate":
        wanted = {"STEPLOG_DATABASE_URL"}
    if name not in LISTENS:
        wanted -= {"STEPLOG_API_HOST"}

    assert wanted - set(service(name)["environment"]) == set()


def test_the_image_sets_only_variables_that_are_read() -> None:
    known = {v for settings in (ExecutorSettings, TrackerSettings) for v in variables_of(settings)}

    assert steplog_variables(image_variables()) - known == set()


def test_all_processes_agree_on_topics_and_partitions() -> None:
    declared = read_topics_file(DEPLOY / "topics.yaml")
    for name in (*SERVICES, "topics"):
        environment = service(name)["environment"]
        namespace = environment["STEPLOG_TOPIC_NAMESPACE"]
        wanted = topics_for(namespace, int(environment["STEPLOG_PARTITIONS"]))

        assert declared.topics == tuple(wanted)


def test_the_declared_topics_are_those_of_the_contracts() -> None:
    assert read_topics_file(DEPLOY / "topics.yaml").topics == tuple(topics_for())


def test_the_broker_is_set_up_as_the_local_one() -> None:
    environment = service("kafka")["environment"]
    local = broker_settings(listeners="", advertised="", voters="", log_dirs="")
    same = {name: value for name, value in local.items() if value}

    for name, value in same.items():
        assert environment[f"KAFKA_{name.replace('.', '_').upper()}"] == value
    assert len(environment.keys() - {"KAFKA_HEAP_OPTS"}) == len(local)


def test_servers_are_of_the_versions_tests_run_on() -> None:
    assert service("kafka")["image"] == f"apache/kafka:{KAFKA_VERSION}"
    assert service("postgres")["image"] == f"postgres:{POSTGRES_MAJOR_VERSION}"


def test_a_stop_leaves_the_executor_its_grace() -> None:
    executor = service("executor")

    grace_s = float(executor["environment"]["STEPLOG_SHUTDOWN_GRACE_S"])
    assert grace_s < float(executor["stop_grace_period"].removesuffix("s"))


def test_only_the_api_is_published_and_only_to_this_machine() -> None:
    published = {
        name: one["ports"] for name, one in compose()["services"].items() if "ports" in one
    }

    assert list(published) == ["api"]
    assert all(port.startswith("127.0.0.1:") for port in published["api"])


@pytest.mark.parametrize("image", images())
def test_an_image_names_its_version(image: str) -> None:
    tag = image.partition(":")[2]

    assert re.match(r"\d", tag), f"{image} may be another one tomorrow"


def test_the_image_built_here_has_the_version_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    built = {service(name)["image"] for name in (*SERVICES, *ONE_SHOTS)}

    assert built == {f"steplog:{project['version']}"}


@pytest.mark.parametrize("command", commands(), ids=" ".join)
def test_a_container_runs_what_is_there(command: list[str]) -> None:
    module, *arguments = command
    if module == "steplog.cli.main":
        parse_steplog(arguments)
    elif arguments:
        main = importlib.import_module(f"{module}.__main__").main
        with pytest.raises(SystemExit) as ended:
            main([*arguments, "--help"])
        assert ended.value.code == 0
        assert arguments in [["worker"], ["api"], ["migrate"]]
    else:
        assert importlib.util.find_spec(f"{module}.__main__")


def test_health_checks_ask_what_processes_answer() -> None:
    asked = re.findall(r"GET (/\w+) HTTP", inspect.getsource(health))
    app = make_app(PostgresReadModel("postgresql://nowhere/rows"), "t.events")

    assert asked
    assert set(asked) <= set(app.openapi()["paths"])
    assert all(check[:3] == ["python", "-m", "steplog.health"] for check in health_checks())
    assert [check[3:] for check in health_checks()] == [[], ["executor"], ["worker"], ["api"]]


def test_health_checks_find_their_own_process() -> None:
    """What the executor touches, and the ports that worker and API answer on."""
    assert "STEPLOG_READY_FILE" in image_variables()
    assert image_variables()["STEPLOG_TRACKER_METRICS_PORT"] != "0"
    assert "STEPLOG_API_URL" not in service("tracker")["environment"]
    assert service("tracker")["environment"]["STEPLOG_TRACKER_METRICS_PORT"] != "0"


def test_no_health_check_starts_a_virtual_machine() -> None:
    """It comes every few seconds, and a JVM takes seconds of CPU."""
    check = " ".join(service("kafka")["healthcheck"]["test"])

    assert not re.search(r"\.sh|java", check)
