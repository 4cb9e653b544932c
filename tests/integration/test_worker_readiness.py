"""Each worker tells its own state, whatever the others do."""

import asyncio
import os
import signal
from pathlib import Path

from steplog.health import EXIT_WELL, main
from steplog.local.ports import free_ports
from tests.integration.tracker_load import prepared, until
from tests.services import Services


async def test_a_frozen_worker_is_unwell_beside_a_live_one(
    kafka_bootstrap: str, postgres_url: str, topic_namespace: str, tmp_path: Path
) -> None:
    """One partition and two workers: the second has none, and is well all the same."""
    services = Services(kafka_bootstrap, postgres_url, topic_namespace, tmp_path, "none", 1)
    ports = {name: str(port) for name, port in zip(("w1", "w2"), free_ports(2), strict=True)}

    async def well(name: str) -> bool:
        environment = {"STEPLOG_TRACKER_METRICS_PORT": ports[name]}
        return await asyncio.to_thread(main, ["worker"], environment) == EXIT_WELL

    try:
        await prepared(services)
        started = {
            name: services.start_tracker(name, STEPLOG_TRACKER_METRICS_PORT=port)
            for name, port in ports.items()
        }
        for name in ports:
            await until(lambda name=name: well(name), f"{name} ready")  # type: ignore[misc]
        os.kill(started["w1"].pid, signal.SIGSTOP)

        frozen, other = await well("w1"), await well("w2")
        os.kill(started["w1"].pid, signal.SIGCONT)

        assert (frozen, other) == (False, True)
    finally:
        await asyncio.to_thread(services.stop_all)
