"""Steps that make, pass on and look at large values."""

from typing import Any

from executor_service import Step

LARGE = "x" * 200_000


class Large(Step):
    """Returns a member that has to be stored, beside one that has not."""

    async def run(self, data: Any) -> Any:
        """Return both."""
        return {"rows": LARGE, "count": 3}


class More(Step):
    """Adds what the log takes by itself."""

    async def run(self, data: Any) -> Any:
        """Return one member."""
        return {"more": "m" * 400_000}


class Measure(Step):
    """Looks at the large value."""

    async def run(self, data: Any) -> Any:
        """Return its length."""
        return {"length": len(data["rows"])}


class LargeOnce(Step):
    """Looks at the large value, and fails the first time in this process."""

    runs = 0

    async def run(self, data: Any) -> Any:
        """Return its length."""
        LargeOnce.runs += 1
        if LargeOnce.runs == 1:
            raise ValueError("not yet")
        return {"length": len(data["rows"])}


class Ask(Step):
    """Asks a person, with the large value in the question."""

    async def run(self, data: Any) -> Any:
        """Ask."""
        return {"status": "human_input_required", "prompt": "Good?", "shown": LARGE}


class ManySmall(Step):
    """Returns an object whose members are all small, and large together."""

    async def run(self, data: Any) -> Any:
        """Return it."""
        return {f"k{number}": "y" * 100 for number in range(2_000)}


class Huge(Step):
    """Returns more than the log takes."""

    async def run(self, data: Any) -> Any:
        """Return it."""
        return {"huge": "z" * 1_200_000}


class HugeWithFallback(Huge):
    """The same, with a plan B."""

    async def fallback(self, data: Any, error: Exception) -> Any:
        """Return what went wrong."""
        return {"instead": type(error).__name__}
