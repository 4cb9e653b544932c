"""Steps of the end-to-end test of large values."""

from typing import Any

from executor_service import Step

MEGABYTES = 5
ROW = "x" * 1_023


class Produce(Step):
    """Makes 5 MB."""

    async def run(self, data: Any) -> Any:
        """Return them beside how long what was given is."""
        rows = [ROW] * (MEGABYTES * 1_024)
        return {"rows": rows, "count": len(data["given"])}


class Count(Step):
    """Looks at all of it."""

    async def run(self, data: Any) -> Any:
        """Return how much it is."""
        return {"characters": sum(len(row) for row in data["rows"])}
