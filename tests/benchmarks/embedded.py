"""Embedded mode against the pair, same work, same machine, same run.

    python -m tests.benchmarks.embedded [--executions N] [--alone N]

10-step no-op executions on one SQLite file, durable at each append: executions a second until every
row is readable, latency of one alone until its end is in the log, and seconds from starting
`steplog up --embedded` until it takes commands. STEPLOG_BENCH_EXECUTIONS and STEPLOG_BENCH_ALONE
give smaller sizes.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx
import uvloop

from steplog.embedded import Embedded
from steplog.embedded.process_setup import tune_process
from steplog.local.ports import free_ports
from steplog_contracts.events import ExecutionCompleted
from tests.benchmarks import noop, pair
from tests.benchmarks.figures import percentile, publish_figures
from tests.benchmarks.load import a_command

WARM_UP_EXECUTIONS = 500
START_UPS = 5
START_UP_TIMEOUT_S = 30.0
PROBE_S = 0.005
_COMPLETED = ("ce_type", ExecutionCompleted.event_type.encode())


def start_up_s(folder: Path) -> float:
    """Return the seconds from starting the program until its API answers."""
    port = free_ports(1)[0]
    arguments = ["up", f"--data={folder / 'start.db'}", f"--api-port={port}"]
    began = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "steplog.cli.main", *arguments], stdout=subprocess.DEVNULL
    )
    try:
        with httpx.Client(trust_env=False) as http:
            while not _answers(http, port):
                assert time.monotonic() - began < START_UP_TIMEOUT_S, "it does not answer"
                time.sleep(PROBE_S)
        return time.monotonic() - began
    finally:
        process.terminate()
        process.wait()


def _answers(http: httpx.Client, port: int) -> bool:
    try:
        return http.get(f"http://127.0.0.1:{port}/readyz").is_success
    except httpx.TransportError:
        return False


async def measure(path: Path, executions: int, alone: int) -> dict[str, float]:
    """Return the figures of embedded mode."""
    async with Embedded.open(path, step_modules=[noop.__name__]) as steplog:
        tune_process()
        await _run_all(steplog, WARM_UP_EXECUTIONS)
        took = [await _run_alone(steplog) for _ in range(alone)]
        cpu_s = time.process_time()
        took_s = await _run_all(steplog, executions)
        cpu_s = time.process_time() - cpu_s
    return {
        "executions_per_s": executions / took_s,
        "p50_alone_ms": percentile(took, 0.5) * 1000,
        "p99_alone_ms": percentile(took, 0.99) * 1000,
        "cpu_s_per_1000": cpu_s / executions * 1000,
    }


async def _run_all(steplog: Embedded, count: int) -> float:
    """Send so many commands; return the seconds until every row is readable."""
    model = steplog.node.model
    before = (await model.statistics())["counts"].get("completed", 0)
    file, commands = steplog.node.file, [a_command()[1] for _ in range(count)]
    began = time.monotonic()
    await file.append("commands", commands)
    while True:
        moved = steplog.node.tracker.moved
        if (await model.statistics())["counts"].get("completed", 0) - before >= count:
            break
        await steplog.node.moved(moved)
    return time.monotonic() - began


async def _run_alone(steplog: Embedded) -> float:
    """Return the seconds from sending a command until its execution's end is in the log."""
    file, (execution_id, command) = steplog.node.file, a_command()
    seen = file.end("events")
    began = time.monotonic()
    await file.append("commands", [command])
    while True:
        await file.grown("events", seen)
        for record in await file.read("events", seen):
            if _COMPLETED in record.headers and record.key == execution_id.encode():
                return time.monotonic() - began
            seen = record.offset + 1


def main() -> None:
    """Measure both and publish."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    environment = os.environ
    parser.add_argument(
        "--executions", type=int, default=int(environment.get("STEPLOG_BENCH_EXECUTIONS", "5000"))
    )
    parser.add_argument(
        "--alone", type=int, default=int(environment.get("STEPLOG_BENCH_ALONE", "200"))
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        starts = [start_up_s(folder) for _ in range(START_UPS)]
        figures = uvloop.run(measure(folder / "bench.db", options.executions, options.alone))
    figures["start_up_s"] = percentile(starts, 0.5)
    of_pair = pair.run(options.executions, options.alone)
    for name in ("executions_per_s", "p50_alone_ms"):
        figures[f"pair_{name}"] = of_pair[name]
    publish_figures("bench-embedded", figures)


if __name__ == "__main__":
    main()
