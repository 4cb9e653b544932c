"""Steps that do nothing, so that what is measured is steplog."""

from itertools import pairwise
from typing import Any

from executor_service import Step
from steplog_contracts.payload import JsonObject

STEPS = 10
PAYLOAD_BYTES = 200


class Noop(Step):
    """Returns a little."""

    async def run(self, data: Any) -> Any:
        """Return one small value."""
        return {"ok": True}


def linear_definition(steps: int = STEPS, *, pure: bool = False) -> JsonObject:
    """Return a definition of so many no-op steps in a row; `pure` says that none has effects."""
    more = {"effects": "none"} if pure else {}
    ids = [f"s{number}" for number in range(1, steps + 1)]
    return {
        "name": "noop",
        "steps": [{"id": i, "module": __name__, "step_class": "Noop", **more} for i in ids],
        "flow": {
            "start_at": ids[0],
            "paths": [{"from_step": a, "to_step": b} for a, b in pairwise(ids)],
        },
    }
