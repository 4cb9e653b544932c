"""Score an application and tell the applicant."""

from typing import Any

from executor_service import Step


class Score(Step):
    """Return 0 to 100 points from income, debt and how long the job has lasted."""

    async def run(self, data: Any) -> dict[str, Any]:
        """Return `score` and the share of income that debts take."""
        burden = data["monthly_debt"] / data["monthly_income"]
        years = min(data.get("years_in_job", 0), 10)
        return {"score": round(max(0.0, 70 * (1 - burden)) + 3 * years), "burden": burden}


class Grant(Step):
    """Grant at the rate that the score has earned."""

    async def run(self, data: Any) -> dict[str, Any]:
        """Return the decision and a yearly rate in percent."""
        rate = self.config["base_rate_percent"] + (100 - data["score"]) / 20
        return {"decision": "granted", "rate_percent": round(rate, 2)}


class Refuse(Step):
    """Refuse, with the reason."""

    async def run(self, data: Any) -> dict[str, Any]:
        """Return the decision and why."""
        return {"decision": "refused", "reason": f"debts take {data['burden']:.0%} of the income"}


class Queue(Step):
    """Put the application on a clerk's list."""

    async def run(self, data: Any) -> dict[str, Any]:
        """Return the decision so far."""
        return {"decision": "to be looked at", "list": f"score-{data['score'] // 10}0"}


def is_regular(context: Any, parameters: Any) -> bool:
    """Say whether an applicant is known well enough for a machine to decide."""
    since = context.pipeline_input.get("customer_for_years", 0)
    return bool(since >= parameters["years"])
