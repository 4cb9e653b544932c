"""Pipelines that wait, for the test kit's own tests."""

from typing import Any

from steplog import pipeline, step
from steplog_contracts.payload import JsonObject

AN_HOUR_S = 3600.0
A_MONTH_S = 30 * 24 * 3600.0
CHARGES: list[int] = []


class Timeout(Exception):
    """The other side did not answer."""


@step(retries=3, retry_delay_seconds=AN_HOUR_S)
def charge(amount: int = 1) -> JsonObject:
    """Take money, once in this process."""
    CHARGES.append(amount)
    return {"charged": amount}


@step
def ship(charged: int) -> JsonObject:
    """Send it."""
    return {"shipped": charged}


@step
def ask() -> JsonObject:
    """Ask a person, for a day."""
    return {"status": "human_input_required", "prompt": "Well?", "timeout_seconds": 24 * 3600}


@step
def price(item: int) -> int:
    """Return the price of an item."""
    return item


orders = pipeline("orders")
orders.then(charge).wait(seconds=A_MONTH_S).then(ship)

asking = pipeline("asking")
_asked = asking.ask(ask)
_asked.then(ship, when={"type": "expression", "source": "result.timed_out", "operator": "exists"})
_asked.then(charge)

prices = pipeline("prices").map([1, 2, 3], price)

unimportable: dict[str, Any] = {
    "name": "unimportable",
    "steps": [{"id": "far", "module": "no.such.module", "step_class": "Far"}],
    "flow": {"start_at": "far", "paths": []},
}
late = {**orders.definition, "name": "late", "deadline": {"after": 7 * 24 * 3600.0}}
