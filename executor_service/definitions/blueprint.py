"""A definition compiled for running: immutable, shared by all its executions.

`compile_definition` finds everything wrong with a definition at once; what it returns holds the
plan the engine works with and knows how to make each step.
"""

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from executor_service.definitions.parameter_check import parameter_problem
from executor_service.definitions.parser import ReadDefinition, read_definition
from executor_service.definitions.step_loader import Allowlist
from executor_service.engine.limits import refuse_past_deadline
from executor_service.engine.plan import Plan, SchemaCheck
from executor_service.engine.step_events import execution_started
from executor_service.engine.values import ABSENT, Absent, copy_json, plain
from executor_service.errors import DefinitionRefused, InputRefused, Problem, ResultNotJson
from executor_service.steps.step import Step
from steplog_contracts import events as ev
from steplog_contracts.definition_parts import LANGUAGE
from steplog_contracts.payload import JsonObject, JsonValue, sha256_of

# Makes the object that runs a step, from its configuration with templates resolved.
StepFactory = Callable[[JsonObject | None], Step]


@dataclass(frozen=True, slots=True)
class Parameter:
    """A declared parameter."""

    name: str
    required: bool = False
    default: JsonValue | Absent = ABSENT


@dataclass(frozen=True)
class Blueprint:
    """What a definition needs to be run, again and again, by many executions at once."""

    plan: Plan
    definition: JsonObject
    factories: Mapping[str, StepFactory] = field(repr=False)
    parameters: tuple[Parameter, ...] = ()
    check_input: SchemaCheck | None = None
    warnings: tuple[Problem, ...] = ()
    language: int = LANGUAGE

    @cached_property
    def definition_hash(self) -> str:
        """sha256 of the definition's compact JSON."""
        return sha256_of(self.definition)

    def make_step(self, step_id: str, config: JsonObject | None = None) -> Step:
        """Return a fresh object for a step; `config` where its templates were resolved."""
        return self.factories[step_id](config)

    def started(
        self,
        input_data: JsonValue = None,
        *,
        parameters: JsonObject | None = None,
        metadata: JsonObject | None = None,
        pipeline_id: str | None = None,
        command_id: str | None = None,
        origin: ev.Origin | None = None,
        parent_execution_id: str | None = None,
        now: datetime | None = None,
    ) -> ev.ExecutionStarted:
        """Return the first event of a new execution, its input checked and parameters resolved.

        `now` is when it begins; a deadline before that is refused.

        Raises:
            InputRefused: the input is no JSON object, it or a parameter breaks `input_schema`, a
                required parameter has no value, or the deadline is past.
        """
        given = self.checked_input(input_data)
        self._hold(parameters or {}, given)
        # What a caller names is checked; the rest was made here.
        is_ours = pipeline_id is None and not metadata
        make = execution_started if is_ours else ev.ExecutionStarted
        started = make(
            pipeline_id=pipeline_id or self.plan.name,
            pipeline_name=self.plan.name,
            pipeline_version=self.plan.version,
            definition=self.definition,
            definition_hash=self.definition_hash,
            language=self.language,
            input=given,
            parameters=self.resolved_parameters(given, parameters or {}),
            metadata=metadata or {},
            total_steps=len(self.plan.steps),
            command_id=command_id,
            origin=origin,
            parent_execution_id=parent_execution_id,
        )
        if now is not None:
            refuse_past_deadline(self, started, now)
        return started

    def checked_input(self, input_data: JsonValue) -> JsonObject:
        """Return a plain copy of a run input; None counts as an empty one."""
        try:
            given = plain({} if input_data is None else input_data)
        except ResultNotJson as error:
            raise InputRefused(f"The input is not JSON. {error}") from error
        if not isinstance(given, dict):
            raise InputRefused(f"The input is {type(given).__name__}; give a JSON object.")
        problem = self.check_input(given) if self.check_input else None
        if problem is not None:
            raise InputRefused(f"The input breaks the pipeline's input_schema: {problem}")
        return given

    def _hold(self, parameters: JsonObject, given: JsonObject) -> None:
        schema = self.definition.get("input_schema")
        problem = parameter_problem(self.check_input, schema, given, parameters)
        if problem is not None:
            raise InputRefused(f"A parameter breaks the pipeline's input_schema: {problem}")

    def resolved_parameters(self, given: JsonObject, explicit: JsonObject) -> JsonObject:
        """Return parameter values: explicit ones over the input over declared defaults."""
        values = {
            declared.name: copy_json(declared.default)
            for declared in self.parameters
            if declared.default is not ABSENT
        }
        values = values | given | explicit
        missing = [p.name for p in self.parameters if p.required and p.name not in values]
        if missing:
            raise InputRefused(
                f"The parameter{'s' if len(missing) > 1 else ''} {', '.join(missing)} must be "
                "given with the input; the definition has no default."
            )
        return values


def compile_definition(
    definition: JsonObject,
    allowlist: Allowlist,
    *,
    is_recorded: bool = False,
    language: int = LANGUAGE,
) -> Blueprint:
    """Check and compile a definition, loading its step classes.

    One that `is_recorded` may be older than a rule: what came to be refused since is let pass, and
    it is read by the `language` that its execution began under.

    Raises:
        DefinitionRefused: it breaks rules; `problems` holds every one, with its JSON path.
    """
    read = read_definition(definition, allowlist, is_recorded=is_recorded, language=language)
    return _blueprint(definition, read, _class_factories(read), language)


def compile_unloaded(definition: JsonObject, allowlist: Allowlist) -> Blueprint:
    """Check and compile a definition without importing a module: to look at, not to run.

    Raises:
        DefinitionRefused: as of `compile_definition`, but for what only an import can show.
    """
    return _blueprint(definition, read_definition(definition, allowlist, imports=False), {})


def compile_flow(
    definition: JsonObject,
    allowlist: Allowlist,
    *,
    is_recorded: bool = False,
    language: int = LANGUAGE,
) -> Blueprint:
    """Compile a definition without its step classes: to follow flows, not to run steps.

    Condition functions are loaded, from modules on the allowlist.

    Raises:
        DefinitionRefused: as of `compile_definition`.
    """
    steps = definition.get("steps")
    declared = [step for step in steps if isinstance(step, dict)] if isinstance(steps, list) else []
    made = {str(step.get("id")) for step in declared}
    read = read_definition(definition, allowlist, made, is_recorded=is_recorded, language=language)
    return _blueprint(definition, read, {}, language)


def compile_steps(steps: Sequence[Step], definition: JsonObject, allowlist: Allowlist) -> Blueprint:
    """Compile a definition whose steps are objects already; they are copied for each execution.

    Raises:
        DefinitionRefused: as of `compile_definition`.
    """
    read = read_definition(definition, allowlist, made={step.name: type(step) for step in steps})
    # What is part of the language, or undoes a step, is nobody's object.
    factories = _class_factories(read) | {step.name: _copying(step) for step in steps}
    return _blueprint(definition, read, factories)


def _blueprint(
    definition: JsonObject,
    read: ReadDefinition,
    factories: Mapping[str, StepFactory],
    language: int = LANGUAGE,
) -> Blueprint:
    errors = [problem for problem in read.problems if problem.severity == "error"]
    warnings = tuple(problem for problem in read.problems if problem.severity == "warning")
    if errors or read.plan is None:
        raise DefinitionRefused(errors, warnings)
    return Blueprint(
        plan=read.plan,
        definition=definition,
        factories=factories,
        parameters=tuple(Parameter(*declared) for declared in read.parameters),
        check_input=read.check_input,
        warnings=warnings,
        language=language,
    )


def _class_factories(read: ReadDefinition) -> dict[str, StepFactory]:
    return {
        step_id: _constructing(step_class, step_id, read.configs[step_id])
        for step_id, step_class in read.classes.items()
    }


def _constructing(step_class: type[Step], step_id: str, config: JsonObject) -> StepFactory:
    return lambda resolved: step_class(step_id, copy_json(config) if resolved is None else resolved)


def _copying(step: Step) -> StepFactory:
    """Return what copies a step object: its attributes, as they are at the time."""
    cls = type(step)
    by_attributes = (
        cls.__reduce_ex__ is object.__reduce_ex__
        and not hasattr(cls, "__copy__")
        and hasattr(step, "__dict__")
    )

    def make(resolved: JsonObject | None) -> Step:
        if by_attributes:
            made: Step = object.__new__(cls)
            made.__dict__.update(step.__dict__)
        else:
            made = copy.copy(step)
        if resolved is not None:
            made.config = resolved
        return made

    return make
