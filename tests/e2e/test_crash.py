"""Kill anything at any moment: every execution ends as if nothing had happened."""

import random
from pathlib import Path

import pytest

from tests.e2e.chaos import run_chaos

EXECUTIONS = 200
pytestmark = [pytest.mark.e2e, pytest.mark.broker, pytest.mark.database]


@pytest.mark.timeout(400)
def test_nothing_is_lost_and_nothing_recorded_runs_twice_whatever_dies(
    tmp_path: Path,
) -> None:
    """Half a minute of `make chaos`; its seed is in the output of a failure."""
    figures, verdict = run_chaos(EXECUTIONS, random.randrange(10_000), tmp_path)

    assert figures["kills"] > 0
    assert verdict.wrong == {}, figures
