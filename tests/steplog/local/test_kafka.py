"""A local broker keeps its data over restarts, on whatever ports are free."""

import asyncio
from pathlib import Path

import pytest

from steplog.admin.topics import TopicChange, apply_topics
from steplog.local.kafka import KafkaServer
from steplog.local.server import start_server
from steplog_contracts.topics import topics_for

pytestmark = pytest.mark.broker


def test_topics_are_there_after_a_restart_on_other_ports(tmp_path: Path) -> None:
    changes = []
    for _ in range(2):
        server = KafkaServer(tmp_path)
        running = start_server(server)
        applied = asyncio.run(apply_topics(server.address, tuple(topics_for("kept"))))
        changes.append({one.change for one in applied})
        running.stop()

    assert changes == [{TopicChange.CREATED}, {TopicChange.UNCHANGED}]
