"""What a step is given and what it returns, held to what its definition says of them."""

from dataclasses import replace
from datetime import datetime

from executor_service.engine.human_waits import asks_a_person
from executor_service.engine.item_scope import reading_of
from executor_service.engine.plan import StepPlan
from executor_service.engine.state import State
from executor_service.engine.templates import render, render_inputs
from executor_service.engine.values import copy_json
from executor_service.engine.visit import Visit
from executor_service.errors import InputMismatch, SchemaMismatch
from executor_service.runtime.human_question import checked_question
from executor_service.steps.step import StepData
from steplog_contracts.payload import JsonObject, JsonValue


def data_of(visit: Visit) -> StepData:
    """Return a visit's own copy of its data, with earlier results behind it."""
    data = StepData(copy_json(visit.input))
    data._results = visit.scope
    return data


def check_input(state: State, visit: Visit) -> None:
    """Hold what a step is given to its inputs and schema; raises a StepProblem."""
    step = visit.step
    if step.inputs:
        # The recorded input is what these made; asked again to know whether all were there.
        render_inputs(step.inputs, reading_of(state, visit), f"Step '{step.id}' inputs")
    problem = step.check_input(visit.input) if step.check_input else None
    if problem is not None:
        raise InputMismatch(f"What step '{step.id}' was given breaks its input_schema: {problem}")


def checked(step: StepPlan, output: JsonValue) -> JsonValue:
    """Return a result, or a question to a person, that is what it should be."""
    if asks_a_person(output):
        return checked_question(output)
    check_output(step, output)
    return output


def check_output(step: StepPlan, output: JsonValue) -> None:
    """Hold a result to the step's schema; raises SchemaMismatch."""
    problem = step.check_output(output) if step.check_output else None
    if problem is not None:
        raise SchemaMismatch(f"The result of step '{step.id}' breaks its output_schema: {problem}")


def resolved_config(state: State, visit: Visit, now: datetime) -> JsonObject | None:
    """Return a step's config with its templates resolved; None where it has none.

    `now` is for a visit from before such times were recorded.
    """
    template = visit.step.config_template
    if template is None:
        return None
    # The step's own inputs lie over the data here too.
    # An item is given little of the data, so there the branch's lies beneath.
    beneath = () if visit.step.item_index is None else (visit.scope.data,)
    reading = state.reading(visit.scope, visit.evaluated_at or now)
    reading = replace(reading, data=(visit.input, *beneath))
    resolved: JsonObject = render(template, reading, f"Step '{visit.step.id}' config")
    if "error_handling" in visit.step.config:
        resolved["error_handling"] = visit.step.config["error_handling"]
    copied: JsonObject = copy_json(resolved)
    return copied
