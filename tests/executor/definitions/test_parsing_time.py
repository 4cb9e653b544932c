"""What a definition of the size a command may have takes to read: far from what stops an executor.

Each of these once took minutes, or hours. On an idle machine each takes a second at most; the bound
is for one that is busy.
"""

import time

import pytest

from executor_service.definitions.parser import read_definition
from executor_service.definitions.step_loader import Allowlist
from steplog_contracts.payload import JsonObject
from tests.executor.support import people_steps

CHARS = 900_000
AT_MOST_S = 20.0
MODULE = people_steps.__name__


def step(step_id: str = "a", **more: object) -> JsonObject:
    return {"id": step_id, "module": MODULE, "step_class": "Quick", **more}


def going_if(source: str) -> JsonObject:
    condition = {"source": source, "operator": "==", "value": 1}
    path = {"from": "a", "to": "end", "condition": condition}
    return {"flow": {"start_at": "a", "paths": [path]}}


LARGE: dict[str, JsonObject] = {
    "a dotted path in a template": {
        "steps": [step(config={"t": "{{ " + "x." * (CHARS // 2) + "x }}"})]
    },
    "brackets in a template": {
        "steps": [step(config={"t": "{{ x" + "[0]" * (CHARS // 3) + " }}"})]
    },
    "a dotted path in a condition": going_if("x." * (CHARS // 2) + "x"),
    "patterns in the schemas of many steps": {
        "steps": [
            step(f"s{n}", input_schema={"pattern": r"(?:\p{L}{1,90}){1,20}"}) for n in range(7_000)
        ],
        "flow": {"start_at": "s0"},
    },
    "schemas that lead on and on": {
        "input_schema": {
            "$defs": {
                f"d{n}": {"properties": {"x": {"$ref": f"#/$defs/d{n + 1}"}}} for n in range(9_000)
            }
            | {"d9000": {}},
            "$ref": "#/$defs/d0",
        }
    },
    "references among many names": {
        "input_schema": {
            "$defs": {f"d{n}": {"$id": f"x{n}"} for n in range(9_000)},
            "allOf": [{"$ref": f"#/$defs/d{n}"} for n in range(3_000)],
        }
    },
    "relative references among many names": {
        "input_schema": {
            "$defs": {f"d{n}": {"$id": f"a{n}/b"} for n in range(9_000)},
            "allOf": [{"$ref": "b"}] * 3_000,
        }
    },
    "secrets and parameters": {
        "secrets": [f"a.b{n}" for n in range(CHARS // 10)],
        "parameters": {f"p{n}": 1 for n in range(1_000)},
    },
}


@pytest.mark.parametrize("change", LARGE.values(), ids=LARGE)
def test_a_large_definition_is_read_or_refused_in_seconds(change: JsonObject) -> None:
    definition = {"name": "large", "steps": [step()], "flow": {"start_at": "a"}, **change}
    began_s = time.process_time()

    read = read_definition(definition, Allowlist([MODULE]))

    assert time.process_time() - began_s < AT_MOST_S
    assert not any("can't be read" in problem.message for problem in read.problems)
