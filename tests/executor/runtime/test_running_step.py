"""A log line of a step's own code says when, and in which execution and step."""

import subprocess
import sys

PROGRAM = """
import asyncio, logging, time
import structlog
from executor_service import Pipeline, Step
from executor_service.runtime.running_step import add_step
from steplog_kafka.process_logs import configure_logs

configure_logs("INFO", [add_step])

class Coroutine(Step):
    async def run(self, data):
        structlog.get_logger().info("ours")
        await asyncio.sleep(0)
        logging.getLogger("shop").info("theirs")
        return {}

class Plain(Step):
    def run(self, data):
        logging.getLogger("shop").info("in a thread")
        return {}

flow = {"start_at": "a", "paths": [{"from_step": "a", "to_step": "b"}]}
pipeline = Pipeline("p", [Coroutine("a", {}), Plain("b", {})], flow)
asyncio.run(pipeline.run({}, execution_id="e-1"))
logging.getLogger("shop").info("outside")
for _ in range(500):
    logging.getLogger("asyncio").error("a flood")
"""


def test_lines_of_steps_carry_time_execution_and_step() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False
    )
    lines = done.stderr.splitlines()

    def of(text: str) -> str:
        return next(line for line in lines if text in line)

    assert done.returncode == 0, done.stderr
    for text, step in (("ours", "a"), ("theirs", "a"), ("in a thread", "b")):
        assert "execution_id=e-1" in of(text)
        assert f"step_id={step}" in of(text)
        assert of(text).startswith("20")
    assert "execution_id" not in of("outside")
    assert len([line for line in lines if "a flood" in line]) <= 3
