"""Steps for the command line's tests."""

from typing import Any

from executor_service import Step


class Greet(Step):
    """Greets whoever the input names."""

    def run(self, data: Any) -> Any:
        """Return a greeting."""
        return {"greeting": f"Hello, {data['name']}"}


class Fail(Step):
    """Never works."""

    def run(self, data: Any) -> Any:
        """Raise."""
        raise ValueError("the oven is cold")


def definition(step_class: str) -> dict[str, Any]:
    """Return a definition of one step."""
    step = {"id": "only", "module": __name__, "step_class": step_class}
    return {"name": step_class.lower(), "steps": [step], "flow": {"start_at": "only", "paths": []}}
