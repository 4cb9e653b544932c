"""Steps that definitions in tests name."""

from os import getpid
from typing import Any

from executor_service import Step

NUMBER = 7
__all__ = ["NUMBER", "Echo", "getpid"]


class Echo(Step):
    """Say that it ran."""

    async def run(self, data: Any) -> dict[str, Any]:
        return {f"{self.name}_was": data.get("n", 1)}
