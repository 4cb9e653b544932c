"""Owners of a test end with it."""

from collections.abc import AsyncIterator

import pytest

from tests.executor.support.partition_harness import OPEN


@pytest.fixture(autouse=True)
async def _owners_end_with_their_test() -> AsyncIterator[None]:
    yield
    while OPEN:
        await OPEN.pop().owner.release()
