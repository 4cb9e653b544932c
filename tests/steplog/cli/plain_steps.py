"""Steps for the command line's tests."""

from itertools import pairwise
from pathlib import Path
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


class Brittle(Step):
    """Works once the file that the input names is there."""

    def run(self, data: Any) -> Any:
        """Return what the input says besides, or raise."""
        if not Path(data["needs"]).exists():
            raise FileNotFoundError(data["needs"])
        return {"worked": data.get("how", "well")}


class Ask(Step):
    """Asks a person."""

    def run(self, data: Any) -> Any:
        """Ask."""
        return {"status": "human_input_required", "prompt": "Bake it?"}


class Quote(Step):
    """Never works, and says what it was given."""

    def run(self, data: Any) -> Any:
        """Raise."""
        raise ValueError(data["say"])


class AskFor(Step):
    """Asks a person for what its configuration says."""

    def run(self, data: Any) -> Any:
        """Ask."""
        return {"status": "human_input_required", **self.config["question"]}


def asking(**question: Any) -> dict[str, Any]:
    """Return a definition of one step that asks so."""
    step = {"id": "ask", "module": __name__, "step_class": "AskFor",
            "config": {"question": question}}  # fmt: skip
    return {"name": "asking", "steps": [step], "flow": {"start_at": "ask", "paths": []}}


def chain(*classes: str) -> dict[str, Any]:
    """Return a definition whose steps, named as their classes in lower case, follow each other."""
    ids = [name.lower() for name in classes]
    steps = [
        {"id": step, "module": __name__, "step_class": name}
        for step, name in zip(ids, classes, strict=True)
    ]
    paths = [{"from_step": a, "to_step": b} for a, b in pairwise(ids)]
    return {"name": "-".join(ids), "steps": steps, "flow": {"start_at": ids[0], "paths": paths}}


def definition(step_class: str) -> dict[str, Any]:
    """Return a definition of one step."""
    step = {"id": "only", "module": __name__, "step_class": step_class}
    return {"name": step_class.lower(), "steps": [step], "flow": {"start_at": "only", "paths": []}}
