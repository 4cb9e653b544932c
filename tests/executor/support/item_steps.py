"""Steps for maps: what they have done is kept for the test to see."""

from typing import Any

from executor_service import Step


class Item(Step):
    """Does an item, unless the test has it fail."""

    done: list[Any] = []  # noqa: RUF012 - shared, so that the test sees it
    bad: set[Any] = set()  # noqa: RUF012 - as above

    @classmethod
    def reset(cls, *bad: Any) -> None:
        """Begin anew; items of these values fail."""
        cls.done, cls.bad = [], set(bad)

    async def run(self, data: Any) -> Any:
        """Return the item."""
        if data["item"] in type(self).bad:
            raise ValueError(f"no {data['item']}")
        type(self).done.append(data["item"])
        return data["item"]


def map_over(items: Any, **keys: Any) -> dict[str, Any]:
    """Return the definition of a map over items, and a step after it."""
    step = {"module": __name__, "step_class": "Item"}
    return {
        "name": "mapping",
        "steps": [
            {"id": "each", "type": "map", "items": items, "step": step, **keys},
            {"id": "after", "module": "tests.executor.support.people_steps", "step_class": "Quick"},
        ],
        "flow": {"start_at": "each", "paths": [{"from": "each", "to": "after"}]},
    }
