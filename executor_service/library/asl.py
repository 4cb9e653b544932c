"""Amazon States Language to a definition of ours: what maps, and a sentence for what does not."""

from dataclasses import dataclass, field
from typing import Any, Final

from steplog_contracts.payload import JsonObject, JsonValue

CHANGE_ME: Final = "change_me"
_ERRORS: Final = {"States.ALL": "*", "States.TaskFailed": "*", "States.Timeout": "StepTimedOut"}
_TESTS: Final = {"Equals": "==", "LessThanEquals": "<=", "GreaterThanEquals": ">=",
                 "LessThan": "<", "GreaterThan": ">"}  # fmt: skip
_KINDS: Final = ("String", "Numeric", "Boolean", "Timestamp")
MAX_DEPTH: Final = 50


@dataclass
class Converted:
    """The definition, and what of the original it does not say, each with its place."""

    definition: JsonObject
    notes: list[str] = field(default_factory=list)


def converted(machine: JsonObject, name: str) -> Converted:
    """Return the definition that a state machine amounts to."""
    states = machine.get("States")
    found = Converted({"name": name, "steps": [], "flow": {"start_at": "", "paths": []}})
    if not isinstance(states, dict) or not states:
        found.notes.append("$.States: There are no states.")
        return found
    found.definition["flow"]["start_at"] = str(machine.get("StartAt", ""))
    if isinstance(machine.get("Comment"), str):
        found.definition["description"] = machine["Comment"]
    for state_id, state in states.items():
        _State(found, state_id, state if isinstance(state, dict) else {}).convert()
    return found


class _State:
    def __init__(self, found: Converted, state_id: str, state: JsonObject) -> None:
        self._found, self._id, self._state = found, state_id, state
        self._step: JsonObject = {"id": state_id}

    def convert(self) -> None:
        kind = self._state.get("Type")
        making = {
            "Task": self._task, "Pass": self._pass, "Wait": self._wait, "Choice": self._choice,
            "Succeed": self._nothing, "Fail": self._fail,
        }.get(str(kind))  # fmt: skip
        if making is None:
            self._note("Type", f"Write a state of type {kind} by hand; see docs/flow.md.")
            making = self._nothing
        making()
        self._routes()
        for key in ("InputPath", "OutputPath", "ResultPath", "ResultSelector", "Assign", "Output"):
            if key in self._state:
                self._note(key, "Data flows by its keys here; use inputs and templates instead.")
        self._found.definition["steps"].append(self._step)

    def _note(self, key: str, text: str) -> None:
        self._found.notes.append(f"$.States.{self._id}.{key}: {text}")

    def _task(self) -> None:
        self._step |= {"module": CHANGE_ME, "step_class": CHANGE_ME}
        self._note("Resource", "Name the module and the class of a step that does this work.")

    def _nothing(self) -> None:
        self._step["type"] = "noop"

    def _pass(self) -> None:
        result = self._state.get("Result")
        if isinstance(result, dict):
            self._step |= {"type": "set", "values": result}
            return
        self._nothing()
        if "Result" in self._state or "Parameters" in self._state:
            self._note("Type", "Give its values as an object to a step of type set.")

    def _fail(self) -> None:
        error = str(self._state.get("Error", "FlowFailed"))
        plain = error.replace(".", "_")
        self._step |= {"type": "fail", "error": plain if plain.isidentifier() else "FlowFailed"}
        if isinstance(self._state.get("Cause"), str):
            self._step["message"] = self._state["Cause"]

    def _wait(self) -> None:
        self._step["type"] = "wait"
        for key, ours in (("Seconds", "seconds"), ("Timestamp", "until")):
            if key in self._state:
                self._step[ours] = self._state[key]
            elif f"{key}Path" in self._state:
                self._step[ours] = _template(self._state[f"{key}Path"])

    def _choice(self) -> None:
        cases = []
        for index, choice in enumerate(_list(self._state.get("Choices"))):
            condition = self._condition(choice, f"Choices[{index}]", 0)
            if condition is not None:
                cases.append({"condition": condition, "to": str(choice.get("Next"))})
        default = str(self._state.get("Default") or "end_with_failure")
        always = [{"condition": {"type": "always"}, "to": default}]
        self._step |= {"type": "switch", "cases": cases or always, "default": default}

    def _condition(self, rule: Any, where: str, depth: int) -> JsonObject | None:
        if isinstance(rule, dict) and depth < MAX_DEPTH:
            for key, kind in (("And", "all"), ("Or", "any")):
                if key in rule:
                    parts = [self._condition(one, where, depth + 1) for one in _list(rule[key])]
                    known = [part for part in parts if part is not None]
                    return {"type": kind, "conditions": known} if len(known) == len(parts) else None
            if "Not" in rule:
                part = self._condition(rule["Not"], where, depth + 1)
                return None if part is None else {"type": "not", "condition": part}
            found = _comparison(rule)
            if found is not None:
                return found
        self._note(where, "This test has to be written by hand.")
        return None

    def _routes(self) -> None:
        if isinstance(self._state.get("Next"), str):
            path = {"from": self._id, "to": self._state["Next"]}
            self._found.definition["flow"]["paths"].append(path)
        catches = [
            {"errors": [_error(name) for name in _list(catch.get("ErrorEquals"))] or ["*"],
             "to": str(catch.get("Next"))}
            for catch in _list(self._state.get("Catch")) if isinstance(catch, dict)
        ]  # fmt: skip
        if catches:
            self._step["catch"] = catches
        handling: JsonObject = {}
        if isinstance(self._state.get("TimeoutSeconds"), int | float):
            handling["timeout_seconds"] = self._state["TimeoutSeconds"]
        retries = [one for one in _list(self._state.get("Retry")) if isinstance(one, dict)]
        if retries:
            handling["retry"] = _retry(retries[0])
        if len(retries) > 1:
            self._note("Retry", "A step has one retry policy; the first is kept.")
        if handling:
            self._step["error_handling"] = handling


def _comparison(rule: JsonObject) -> JsonObject | None:
    variable = rule.get("Variable")
    if not isinstance(variable, str):
        return None
    source = _path(variable)
    if "IsPresent" in rule:
        operator = "exists" if rule["IsPresent"] else "not_exists"
        return {"type": "expression", "source": source, "operator": operator}
    for key, value in rule.items():
        kind = next((kind for kind in _KINDS if key.startswith(kind)), None)
        test = key.removeprefix(kind or "-").removesuffix("Path")
        if kind is not None and test in _TESTS:
            given = _template(value) if key.endswith("Path") else value
            return {"type": "expression", "source": source, "operator": _TESTS[test],
                    "value": given}  # fmt: skip
    return None


def _retry(retry: JsonObject) -> JsonObject:
    policy: JsonObject = {
        "max_attempts": int(retry.get("MaxAttempts", 3)) + 1,
        "initial_delay": retry.get("IntervalSeconds", 1),
        "exponential_base": retry.get("BackoffRate", 2.0),
        "jitter": retry.get("JitterStrategy") == "FULL",
    }
    errors = [_error(name) for name in _list(retry.get("ErrorEquals"))]
    if errors and "*" not in errors:
        policy["retryable_exceptions"] = errors
    return policy


def _error(name: JsonValue) -> str:
    return _ERRORS.get(str(name), str(name).replace(".", "_"))


def _path(path: str) -> str:
    return path.removeprefix("$").removeprefix(".") or "pipeline_data"


def _template(path: JsonValue) -> str:
    return f"{{{{ {_path(str(path))} }}}}"


def _list(value: JsonValue) -> list[Any]:
    return value if isinstance(value, list) else []
