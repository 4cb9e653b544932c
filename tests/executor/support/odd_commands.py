"""Commands that no well-behaved client sends, one of each kind that once did harm."""

import json

from steplog_contracts.commands import RunPipeline
from steplog_contracts.envelope import Headers, Record
from steplog_contracts.payload import JsonObject, JsonValue
from tests.executor.support import people_steps

TIME = b"2026-01-01T00:00:00.000000+00:00"
RUN = RunPipeline.command_type.encode()
STEP: JsonObject = {"id": "a", "module": people_steps.__name__, "step_class": "Quick"}


def headers(command_id: str = "c", execution_id: str = "e", kind: bytes = RUN) -> Headers:
    return [
        ("ce_specversion", b"1.0"),
        ("ce_id", command_id.encode()),
        ("ce_source", b"/test"),
        ("ce_type", kind),
        ("ce_time", TIME),
        ("ce_subject", execution_id.encode()),
    ]


def fanned(keyword: str, levels: int = 40) -> JsonObject:
    """Return a schema with 2^levels ways down."""
    defs: JsonObject = {
        f"d{n}": {keyword: [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(levels)
    }
    return {"$defs": {**defs, f"d{levels}": {}}, "$ref": "#/$defs/d0"}


def going_if(condition: JsonObject) -> JsonObject:
    path = {"from": "a", "to": "end", "condition": condition}
    return {"flow": {"start_at": "a", "paths": [path]}}


def matching(pattern: str) -> JsonObject:
    return going_if({"source": "result.x", "operator": "matches", "value": pattern})


def deep(levels: int, leaf: JsonValue = 1) -> JsonValue:
    for _ in range(levels):
        leaf = [leaf]
    return leaf


ODD_DEFINITIONS: dict[str, JsonObject] = {
    "two steps of one id": {"steps": [STEP, STEP]},
    "two of one id behind the start": {"steps": [STEP, {**STEP, "id": "b"}, {**STEP, "id": "b"}]},
    "no such start": {"flow": {"start_at": "z"}},
    "400 brackets in a pattern": matching("(" * 400 + "a" + ")" * 400),
    "brackets of sets in a pattern": matching("(?V1)" + "[" * 400 + "a" + "]" * 400),
    "flags that exclude each other": matching("(?au)x"),
    "versions that exclude each other": matching("(?V0)(?V1)x"),
    "a pattern of a million nodes": matching("(?:a{1000}){1000}"),
    "a pattern of gigabytes": matching("((a{1000}){1000}){1000}"),
    "a pattern of doublings": matching("(?:" * 60 + "a" + "+)" * 60),
    "repetitions behind a comment": matching("(?:a{1000})(?#x){1000}"),
    "2^40 ways by allOf": {"input_schema": fanned("allOf")},
    "2^40 ways by anyOf": {"output_schema": fanned("anyOf")},
    "2^40 ways in a step": {"steps": [{**STEP, "input_schema": fanned("oneOf")}]},
    "a schema that is itself": {"input_schema": {"$ref": "#"}},
    "a schema pattern of a million": {"input_schema": {"pattern": "(?:a{1000}){1000}"}},
    "a long chain of references": {
        "input_schema": {
            "$defs": {f"d{n}": {"$ref": f"#/$defs/d{n + 1}"} for n in range(5_000)},
            "$ref": "#/$defs/d0",
        }
    },
    "a schema that is none": {"input_schema": {"type": ["nonsense"], "pattern": "("}},
    "spans no time holds": {"loop_config": {"max_loop_time_seconds": 1e300}},
    "delays no time holds": {
        "steps": [{**STEP, "error_handling": {"retry": {"initial_delay": 1e12}}}]
    },
    "a type that is a list": going_if({"type": ["expression"]}),
    "an unknown step type": {"steps": [{**STEP, "type": "tsak"}]},
    "conditions 90 deep": going_if({"all": deep(90)}),
    "9,000 paths to nowhere": {
        "flow": {"start_at": "a", "paths": [{"from": "a", "to": f"z{n}"} for n in range(9_000)]}
    },
}


STRUCTURED: Headers = [("content-type", b"application/cloudevents+json")]

ODD_RECORDS: dict[str, Record] = {
    "no value": Record(b"e", None, headers()),
    "null headers": Record(b"e", b"{}", [("ce_id", None), ("ce_type", None)]),  # type: ignore[list-item]
    "a null among headers": Record(
        b"e",
        b"{}",
        [*headers(), ("ce_time", None), ("content-type", None)],  # type: ignore[list-item]
    ),
    "headers twice": Record(b"e", b"{}", headers() + headers("d", "f")),
    "headers that are no UTF-8": Record(b"e", b"{}", [(name, b"\xff") for name, _ in headers()]),
    "an id of 5,000": Record(b"e", b'{"execution_id": "e"}', headers("c" * 5_000)),
    "an id with a line break": Record(b"e", b'{"execution_id": "e"}', headers("c\nd")),
    "a subject nobody can have": Record(b"e", b"{", headers("c", "e" * 5_000)),
    "a type of 5,000": Record(b"e", b"{}", headers(kind=b"t" * 5_000)),
    "2,000 brackets": Record(b"e", b"[" * 2_000 + b"]" * 2_000, headers()),
    "half a bracket": Record(b"e", b"{" * 100_000, headers()),
    "a lone surrogate": Record(b"e", b'{"execution_id": "\\ud800"}', headers()),
    "an integer of 10,000 digits": Record(
        b"e", b'{"execution_id": "e", "priority": ' + b"9" * 10_000 + b"}", headers()
    ),
    "NaN": Record(b"e", b'{"execution_id": "e", "input": NaN}', headers()),
    "infinity": Record(b"e", b'{"execution_id": "e", "input": {"x": 1e999}}', headers()),
    "a time without a zone": Record(
        b"e", b'{"execution_id": "e", "not_before": "2026-05-01T12:00:00"}', headers()
    ),
    "a time UTC has not": Record(
        b"e", b'{"execution_id": "e", "not_before": "9999-12-31T23:59:59-23:59"}', headers()
    ),
    "a parent of 5,000": Record(
        b"e",
        json.dumps({"execution_id": "e", "parent_execution_id": "p" * 5_000}).encode(),
        headers(),
    ),
    "a person of 5,000": Record(
        b"e", json.dumps({"execution_id": "e", "requested_by": "p" * 5_000}).encode(), headers()
    ),
    "structured and empty": Record(
        b"e", b"{}", [("content-type", b"application/cloudevents+json")]
    ),
    "structured and deep": Record(
        b"e", b"[" * 2_000, [("content-type", b"application/cloudevents+json")]
    ),
}
