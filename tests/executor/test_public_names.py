"""The executor's public names are there, and cost only whoever asks for them."""

import subprocess
import sys

import pytest

import executor_service

# What each command and each client loads, and what a client needs none of.
CLIENT, PARSER = "steplog.client.client", "executor_service.definitions.parser"


@pytest.mark.parametrize("name", executor_service.__all__)
def test_each_name_is_found(name: str) -> None:
    assert getattr(executor_service, name).__name__ == name
    assert name in dir(executor_service)


def test_another_name_is_none_of_them() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'Pipelines'"):
        _ = executor_service.Pipelines


def test_a_client_does_not_load_what_reads_definitions() -> None:
    program = f"import sys, {CLIENT}; sys.exit({PARSER!r} in sys.modules)"

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
