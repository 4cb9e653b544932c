"""Guess, and make the guess better."""

from typing import Any

from executor_service import Step


class Guess(Step):
    """Begin somewhere."""

    async def run(self, data: Any) -> dict[str, Any]:
        """Return the first guess."""
        return {"guess": max(data["number"] / 2, 1.0)}


class Refine(Step):
    """Make the guess better by one step of Newton's method."""

    async def run(self, data: Any) -> dict[str, Any]:
        """Return the better guess, how far off its square is, and which round this was."""
        guess = (data["guess"] + data["number"] / data["guess"]) / 2
        off = abs(guess * guess - data["number"])
        return {"guess": guess, "off": off, "rounds": self.context.iteration}
