"""A step to begin with: `{"id": "greet", "step_class": "my_steps.greeting.Greet"}`."""

from typing import Any

from steplog import Step


class Greet(Step):
    """Greets who is named in the step's input."""

    async def run(self, data: dict[str, Any]) -> dict[str, Any]:
        """Return the greeting."""
        return {"greeting": f"Hello, {data.get('name', 'world')}!"}
