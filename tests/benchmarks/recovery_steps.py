"""Steps that hold an execution where the benchmark wants it: live for good, or waiting."""

import asyncio
from typing import Any

from executor_service import Step
from steplog_contracts.payload import JsonObject


class Hold(Step):
    """Runs until its process ends."""

    async def run(self, data: Any) -> Any:
        """Wait for ever."""
        await asyncio.Event().wait()


class Ask(Step):
    """Asks a person."""

    async def run(self, data: Any) -> Any:
        """Ask."""
        return {"status": "human_input_required", "prompt": "Go on?"}


class Noop(Step):
    """Returns a little."""

    async def run(self, data: Any) -> Any:
        """Return one small value."""
        return {"ok": True}


def behind_a_noop(step_class: str) -> JsonObject:
    """Return a definition of two steps, the second of the class named."""
    return {
        "name": step_class.lower(),
        "steps": [
            {"id": "a", "module": __name__, "step_class": "Noop"},
            {"id": "b", "module": __name__, "step_class": step_class},
        ],
        "flow": {"start_at": "a", "paths": [{"from_step": "a", "to_step": "b"}]},
    }
