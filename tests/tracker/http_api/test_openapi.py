"""Every operation of the OpenAPI document is tried with what it allows and what it does not.

Left out: streams, which don't end, and the check that what a schema allows is accepted: some
parameters exclude each other, which OpenAPI can't say (`as_of` and `at_seq`, a cursor of another
order).
"""

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.core.failures import FailureGroup

from tests.conformance.stores import TOPIC, sqlite_read_model
from tests.tracker.commands_kept import CommandsKept
from tests.tracker.histories import Log
from tests.tracker.http_api.test_read_api import told
from tests.tracker.serving import PATIENCE_S, serving
from tests.verification.past_world import EntriesLog
from tracker_service.api_server.app import make_app
from tracker_service.http_api import wait_for
from tracker_service.http_api.context import Protection

EXAMPLES_OF_EACH = 6
NOT_ASKED = "positive_data_acceptance"


class _Running:
    """An API in an event loop of its own, since each example asks from outside one."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._started, self._stopping = threading.Event(), asyncio.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=[self._serve()])
        self.url = ""

    def start(self) -> None:
        """Return once it answers."""
        self._thread.start()
        assert self._started.wait(PATIENCE_S)

    def stop(self) -> None:
        """End it."""
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(PATIENCE_S)
        self._loop.close()

    async def _serve(self) -> None:
        log = Log()
        told(log)
        async with sqlite_read_model(self._file) as rows:
            await rows.receives(log.entries)
            app = make_app(
                rows.model,
                TOPIC,
                EntriesLog([log.entries]),
                commands=CommandsKept(),
                protection=Protection(rate_per_s=100_000),
            )
            async with serving(app) as self.url:
                self._started.set()
                await self._stopping.wait()


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Return the document of a running API whose waits are short."""
    running = _Running(tmp_path_factory.mktemp("openapi") / "rows.db")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(wait_for, "LONGEST_WAIT_S", 0.01)
        running.start()
        yield schemathesis.openapi.from_url(f"{running.url}/openapi.json").exclude(
            path_regex="stream$"
        )
        running.stop()


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
def test_each_operation_keeps_its_word(document: Any, mode: GenerationMode) -> None:
    operations = [found.ok() for found in document.get_all_operations()]
    broken = []
    for operation in operations:
        try:
            _tried(operation, mode)
        except (AssertionError, FailureGroup) as failure:
            broken.append(f"{operation.label}: {failure}")

    assert len(operations) > 35
    assert broken == []


def _tried(operation: Any, mode: GenerationMode) -> None:
    @settings(
        max_examples=EXAMPLES_OF_EACH,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def keeps_its_word(case: schemathesis.Case) -> None:
        case.call_and_validate(
            timeout=PATIENCE_S, excluded_checks=[schemathesis.checks.CHECKS.get_one(NOT_ASKED)]
        )

    with contextlib.suppress(Unsatisfiable):  # Nothing can break it: it takes no parameters.
        keeps_its_word()
