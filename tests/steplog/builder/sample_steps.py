"""Functions and classes for built pipelines, at the top of a module as definitions need them."""

from typing import Any

from pydantic import BaseModel

from executor_service import Step, StepContext
from executor_service.steps.step_function import step
from steplog.builder import PipelineBuilder, join, pipeline, when


class Row(BaseModel):
    """A reading."""

    temp: float


class NotFound(Exception):
    """Nothing there."""


@step
def load(city: str = "Oslo") -> dict[str, Any]:
    """Return readings."""
    return {"rows": [{"temp": 1}, {"temp": "2.5"}], "city": city}


@step(retries=2, retry_delay_seconds=0, timeout_seconds=30)
async def mean(rows: list[Row], context: StepContext, factor: float = 1) -> dict[str, Any]:
    """Return the mean, and which attempt made it."""
    return {"mean": sum(row.temp for row in rows) / len(rows) * factor, "try": context.attempt}


@step
def cold(mean: float) -> dict[str, Any]:
    """Return a word."""
    return {"word": f"cold {mean}"}


@step
def warm(mean: float) -> dict[str, Any]:
    """Return a word."""
    return {"word": f"warm {mean}"}


@step
def report(data: dict[str, Any], word: str = "") -> dict[str, Any]:
    """Return what there is."""
    return {"report": f"{word}: {sorted(data)}"}


@step
def missing(key: str) -> None:
    """Find nothing."""
    raise NotFound(key)


@step
def create(problem: dict[str, Any]) -> dict[str, Any]:
    """Go on from the error."""
    return {"created": problem["type"]}


@step
def double(item: int) -> int:
    """Return twice the item."""
    return item * 2


@step
def count(rounds: int = 0) -> dict[str, Any]:
    """Return the rounds there were."""
    return {"rounds": rounds + 1}


UNDONE: list[Any] = []


@step
def charge(amount: int) -> dict[str, Any]:
    """Take money."""
    return {"charged": amount}


@charge.compensate
def refund(data: dict[str, Any], result: dict[str, Any]) -> None:
    """Give it back."""
    UNDONE.append((data["amount"], result["charged"]))


@step(enable_fallback=True)
def brittle() -> dict[str, Any]:
    """Never work."""
    raise RuntimeError("no")


@brittle.fallback
async def instead(data: dict[str, Any], error: BaseException) -> dict[str, Any]:
    """Answer for it."""
    return {"instead": str(error), "had": data["x"]}


class Load(Step):
    """A step as a class."""

    def run(self, data: Any) -> Any:
        """Return its configuration."""
        return {"from_class": self.config.get("size")}


def weather() -> PipelineBuilder:
    """Return a pipeline with branches that meet again."""
    flow = pipeline("weather")
    average = flow.then(load).then(mean, config={"factor": 2})
    below = average.then(cold, when=when("result.mean", "<", 3))
    above = average.then(warm, when=when("result.mean", ">=", 3))
    join(below, above).then(report)
    return flow


built = weather()
A_TEXT = "weather"
