"""Fetch a rate, and use it."""

from typing import Any

from executor_service import Step, TerminalError

RATES = {"EUR/USD": 1.08, "EUR/GBP": 0.85}


class FetchRate(Step):
    """Ask a rate service; `fails_first` attempts find it away, to show retries."""

    async def run(self, data: Any) -> dict[str, Any]:
        """Return the rate; a pair that does not exist is not asked for again."""
        if self.context.attempt <= data.get("fails_first", 0):
            raise ConnectionError("the rate service does not answer")
        if data["pair"] not in RATES:
            raise TerminalError(f"There is no rate for {data['pair']}.")
        return {"rate": RATES[data["pair"]], "from": "service"}

    async def fallback(self, data: Any, error: BaseException) -> dict[str, Any]:
        """Return yesterday's rate, unless there is none for this pair at all."""
        if isinstance(error, TerminalError):
            raise error
        return {"rate": self.config["yesterday"][data["pair"]], "from": "yesterday"}


class Convert(Step):
    """Convert the amount."""

    async def run(self, data: Any) -> dict[str, Any]:
        """Return the amount in the other currency."""
        return {"converted": round(data["amount"] * data["rate"], 2)}
