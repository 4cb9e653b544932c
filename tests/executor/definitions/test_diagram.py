"""A drawing of a flow says what a map goes through, what a step runs, and whom a join waits for."""

from executor_service import Allowlist
from executor_service.definitions.blueprint import compile_definition
from executor_service.definitions.diagram import mermaid, terminal

FLOW = {
    "name": "drawn",
    "steps": [
        {"id": "each", "type": "map", "items": [1], "item_name": "file", "pipeline": "other"},
        {"id": "rest", "type": "wait", "seconds": 1},
        {"id": "call", "type": "pipeline", "pipeline": "payment"},
        {"id": "meet", "type": "noop", "join": {"when": 2}},
    ],
    "flow": {
        "start_at": "each",
        "paths": [
            {"from": "each", "to": "rest"},
            {"from": "each", "to": "call"},
            {"from": "rest", "to": "meet"},
            {"from": "call", "to": "meet"},
        ],
    },
}
MARKS = (
    "each · for each file, runs other",
    "rest · waits",
    "call · runs payment",
    "meet · begins with 2 of its branches",
)


def test_both_drawings_say_what_each_step_is() -> None:
    blueprint = compile_definition(FLOW, Allowlist([]))

    for drawing in (terminal(blueprint), mermaid(blueprint)):
        assert [mark for mark in MARKS if mark not in drawing] == []
