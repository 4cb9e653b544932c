"""A world for each test."""

import pytest

from steplog_contracts.topics import Topics
from tests.tracker.rebuild.world import World


@pytest.fixture
async def world(kafka_bootstrap: str, postgres_url: str, topics: Topics) -> World:
    """Return an empty log and an empty database."""
    return World(kafka_bootstrap, postgres_url, topics)


@pytest.fixture
async def filled(world: World) -> World:
    """Return a log with a few executions in each partition, and the live rows made from it."""
    await world.append_executions(5)
    await world.project()
    return world
