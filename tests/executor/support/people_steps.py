"""Steps for the service's tests: quick, asking, slow, failing."""

import asyncio
from typing import Any

from executor_service import Step


class Quick(Step):
    """Returns at once."""

    async def run(self, data: Any) -> Any:
        """Return one key."""
        return {self.name: "done"}


class Ask(Step):
    """Asks a person."""

    async def run(self, data: Any) -> Any:
        """Ask for approval."""
        return {"status": "human_input_required", "prompt": "Go on?"}


class AskBriefly(Step):
    """Asks a person who has a minute."""

    async def run(self, data: Any) -> Any:
        """Ask for approval within a minute."""
        return {"status": "human_input_required", "prompt": "Quick?", "timeout_seconds": 60}


class Forever(Step):
    """Runs until it is cancelled."""

    async def run(self, data: Any) -> Any:
        """Wait for ever."""
        await asyncio.Event().wait()


class Held(Step):
    """Runs until the test lets go; counts how often it began."""

    runs = 0
    release = asyncio.Event()

    @classmethod
    def reset(cls) -> None:
        """Begin anew: nothing ran, everything is held."""
        cls.runs, cls.release = 0, asyncio.Event()

    async def run(self, data: Any) -> Any:
        """Wait for the test."""
        type(self).runs += 1
        await type(self).release.wait()
        return {"runs": type(self).runs}


class Failing(Step):
    """Fails."""

    async def run(self, data: Any) -> Any:
        """Raise."""
        raise ValueError("no such luck")


class FailsOnce(Step):
    """Fails the first time it runs in this process, for whichever execution."""

    runs = 0

    async def run(self, data: Any) -> Any:
        """Raise once."""
        type(self).runs += 1
        if type(self).runs == 1:
            raise ValueError("the first time")
        return {"runs": type(self).runs}


class AskAnn(Step):
    """Asks Ann for a verdict."""

    async def run(self, data: Any) -> Any:
        """Ask for one of two."""
        return {
            "status": "human_input_required",
            "ui_schema": {"properties": {"ok": {"type": "boolean"}}, "required": ["ok"]},
            "assigned_users": "ann",
        }
