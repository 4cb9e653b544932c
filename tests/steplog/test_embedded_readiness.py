"""`/readyz` of embedded mode: a log that can't be taken over is said there, with the reason."""

from pathlib import Path

import httpx
import pytest

from executor_service.partition.owner import PartitionOwner
from executor_service.partition.takeover import Takeover
from executor_service.ports.resume_point import ResumePoint
from steplog.embedded.node import running_node
from steplog.embedded.settings import EmbeddedSettings
from tests.executor.flows import until
from tracker_service.api_server.app import make_app


async def test_a_takeover_that_fails_costs_readiness_until_it_succeeds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("executor_service.partition.consumer.RETRY_DELAY_S", 1e-3)
    run, broken = Takeover.run, True

    async def faulty(takeover: Takeover, point: ResumePoint) -> PartitionOwner:
        if broken:
            raise AssertionError("nobody foresaw this")
        return await run(takeover, point)

    monkeypatch.setattr(Takeover, "run", faulty)
    async with running_node(EmbeddedSettings(tmp_path / "steplog.db")) as node:
        app = make_app(node.model, node.topic, trouble=lambda: node.trouble)
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://127.0.0.1"
        ) as api:
            await until(lambda: node.trouble is not None)
            before = await api.get("/readyz")
            broken = False
            await until(lambda: node.trouble is None)
            after = await api.get("/readyz")

    assert before.status_code == 503
    assert "can't be taken over: nobody foresaw this" in before.json()["detail"]
    assert after.status_code == 200
