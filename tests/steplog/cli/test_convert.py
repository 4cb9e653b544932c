"""`steplog convert`: what of Amazon States Language maps, and what is said of the rest."""

from typing import Any

import pytest

from executor_service import Allowlist, create_pipeline_from_json
from executor_service.definitions.unknown_keys import problems_of
from executor_service.library.asl import converted

MACHINE: dict[str, Any] = {
    "Comment": "Orders",
    "StartAt": "Name",
    "States": {
        "Name": {"Type": "Pass", "Result": {"kind": "order"}, "Next": "Pause"},
        "Pause": {"Type": "Wait", "SecondsPath": "$.pause", "Next": "Large?"},
        "Large?": {
            "Type": "Choice",
            "Choices": [
                {"And": [{"Variable": "$.amount", "NumericGreaterThan": 100},
                         {"Not": {"Variable": "$.known", "IsPresent": True}}], "Next": "Refuse"},
                {"Variable": "$.amount", "NumericLessThanEqualsPath": "$.limit", "Next": "Done"},
            ],
            "Default": "Refuse",
        },
        "Refuse": {"Type": "Fail", "Error": "Too.Large", "Cause": "Too large."},
        "Done": {"Type": "Succeed"},
    },
}  # fmt: skip


@pytest.mark.parametrize(
    ("given", "steps"),
    [
        ({"pause": 0, "amount": 5, "limit": 10}, ["Name", "Pause", "Large?", "Done"]),
        ({"pause": 0, "amount": 500, "limit": 900, "known": 1},
         ["Name", "Pause", "Large?", "Done"]),
    ],
)  # fmt: skip
async def test_what_maps_runs_as_it_would_there(given: dict[str, Any], steps: list[str]) -> None:
    found = converted(MACHINE, "orders")

    pipeline = create_pipeline_from_json(found.definition, allowlist=Allowlist())
    result = await pipeline.run(given)

    assert found.notes == []
    assert [step["step_name"] for step in result["steps"]] == steps
    assert result["output"]["kind"] == "order"


def test_a_task_keeps_its_retries_catches_and_limit_and_asks_for_its_class() -> None:
    task = {
        "Type": "Task", "Resource": "arn:aws:lambda:x", "TimeoutSeconds": 5, "End": True,
        "Retry": [{"ErrorEquals": ["A"], "MaxAttempts": 2}, {"ErrorEquals": ["B"]}],
        "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "T"}],
    }  # fmt: skip
    found = converted({"StartAt": "T", "States": {"T": task}}, "p")

    [step] = found.definition["steps"]
    assert step["error_handling"]["retry"]["max_attempts"] == 3
    assert step["error_handling"]["timeout_seconds"] == 5
    assert step["catch"] == [{"errors": ["*"], "to": "T"}]
    assert [note.partition(":")[0] for note in found.notes] == [
        "$.States.T.Resource", "$.States.T.Retry"
    ]  # fmt: skip
    assert problems_of(found.definition) == []


@pytest.mark.parametrize("machine", [{}, {"States": 3}, {"States": {"a": 1}},
                                     {"States": {"a": {"Type": "Parallel"}}}])  # fmt: skip
def test_what_does_not_map_is_told(machine: dict[str, Any]) -> None:
    assert converted(machine, "p").notes
