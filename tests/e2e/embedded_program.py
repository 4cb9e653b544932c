"""A program in embedded mode that may be killed at any moment: run it again and it goes on.

    python -m tests.e2e.embedded_program FILE EXECUTIONS

It answers people's questions but those of executions that are to stay open, and ends once that many
executions have ended.
"""

import asyncio
import sys

from steplog.embedded import Embedded
from steplog_contracts.records import FINAL_EXECUTION_STATUSES
from tests.e2e import chaos_steps, weather_shape
from tests.support import construct_steps

LOOK_EVERY_S = 0.1
MAX_ANSWERS = 100


async def main(path: str, executions: int) -> None:
    """Run what is in the file until so many executions have ended."""
    modules = [chaos_steps.__name__, weather_shape.__name__, construct_steps.__name__]
    async with Embedded.open(path, step_modules=modules) as steplog:
        while True:
            counts = (await steplog.node.model.statistics())["counts"]
            if sum(counts.get(status, 0) for status in FINAL_EXECUTION_STATUSES) >= executions:
                return
            page = await steplog.read.executions(limit=MAX_ANSWERS, status="waiting_for_human")
            for execution in page.items:
                if execution.pipeline_name == chaos_steps.WITHDRAWN.name:
                    await steplog.cancel(execution.execution_id)
                elif execution.pipeline_name == chaos_steps.PERSON.name:
                    await steplog.resume(execution.execution_id, {"ok": True})
            await asyncio.sleep(LOOK_EVERY_S)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
