"""Commands that can't be set aside while the broker is away: they wait, and few lines say so."""

import asyncio

import pytest
import structlog

from executor_service.adapters.kafka import command_source
from executor_service.ports.command_source import ReceivedRecord
from steplog_contracts.envelope import Record
from steplog_kafka.errors import KafkaSilent
from steplog_kafka.settings import kafka_settings
from tests.executor.flows import until

WAITING = 50


class Away:
    """A producer of a broker that is away, until it is back."""

    def __init__(self) -> None:
        self.tries, self.kept, self.back = 0, 0, False

    async def deliver(self, topic: str, record: Record) -> None:
        """Fail while it is away."""
        self.tries += 1
        if not self.back:
            raise KafkaSilent("The broker is away.")
        self.kept += 1

    async def stop(self) -> None:
        """Nothing is open."""


async def test_an_outage_is_told_once_in_a_while_however_many_commands_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(command_source, "RETRY_DELAY_S", 1e-3)
    source = command_source.KafkaCommandSource(
        kafka_settings("127.0.0.1:9"),
        topic="c",
        dead_topic="d",
        group_id="g",
        session_timeout_ms=10_000,
    )
    away = Away()
    monkeypatch.setattr(source, "_producer", away)

    with structlog.testing.capture_logs() as lines:
        waiting = [
            asyncio.create_task(
                source.set_aside(ReceivedRecord(0, offset, None, b"", []), "no command")
            )
            for offset in range(WAITING)
        ]
        await until(lambda: away.tries > 10 * WAITING)
        away.back = True
        await asyncio.gather(*waiting)
    await source.stop()

    assert away.kept == WAITING
    assert [line["event"] for line in lines] == ["set_aside_postponed"]
