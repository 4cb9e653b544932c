"""What `deploy/` says, read for the tests that hold it in step with the code."""

import json
import re
from collections.abc import Mapping
from typing import Any

import yaml

from tests.house.rules import ROOT

DEPLOY = ROOT / "deploy"
SERVICES = ("executor", "tracker", "api")
ONE_SHOTS = ("topics", "migrate")


def compose() -> dict[str, Any]:
    """Return the compose file with its anchors merged in, each variable at its default."""
    text = (DEPLOY / "compose.yaml").read_text()
    document: dict[str, Any] = yaml.safe_load(re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text))
    return document


def service(name: str) -> dict[str, Any]:
    """Return one service."""
    found: dict[str, Any] = compose()["services"][name]
    return found


def steplog_variables(environment: Mapping[str, str]) -> set[str]:
    """Return the variables that are ours."""
    return {name for name in environment if name.startswith("STEPLOG_")}


def dockerfile() -> str:
    """Return the Dockerfile's text, continued lines joined."""
    return (DEPLOY / "Dockerfile").read_text().replace("\\\n", " ")


def images() -> list[str]:
    """Return every image that is pulled or built, with its tag."""
    bases = re.findall(r"^FROM (\S+)", dockerfile(), re.MULTILINE)
    return [*bases, *(one["image"] for one in compose()["services"].values())]


def commands() -> list[list[str]]:
    """Return what containers run after `python -m`: the image's own and each service's."""
    own = json.loads(re.findall(r"^CMD (.*)$", dockerfile(), re.MULTILINE)[-1])
    return [own, *(service(name)["command"] for name in (*SERVICES, *ONE_SHOTS))]


def health_checks() -> list[list[str]]:
    """Return the health checks that run our code: the image's own and each service's."""
    own = json.loads(re.findall(r"^HEALTHCHECK .*CMD (.*)$", dockerfile(), re.MULTILINE)[-1])
    return [own, *(service(name)["healthcheck"]["test"][1:] for name in SERVICES)]


def image_variables() -> dict[str, str]:
    """Return what the image sets; what its build does is not in it."""
    found: dict[str, str] = {}
    image = dockerfile().rpartition("\nFROM ")[2]
    for line in re.findall(r"^ENV (.*)$", image, re.MULTILINE):
        found.update(re.findall(r"(\w+)=(\S+)", line))
    return found
