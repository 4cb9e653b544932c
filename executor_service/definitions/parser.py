"""Reading a definition into a plan, collecting everything wrong with it on the way."""

import time
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

import structlog
from pydantic import BaseModel

from executor_service.definitions.built_in import task_of
from executor_service.definitions.child_parser import read_child
from executor_service.definitions.compensation_parser import ClassesAtHand, read_compensation
from executor_service.definitions.flow_checks import check_flow
from executor_service.definitions.flow_parser import FlowReader
from executor_service.definitions.input_parser import read_inputs
from executor_service.definitions.json_schemas import compile_schema
from executor_service.definitions.limits_parser import read_limits
from executor_service.definitions.map_parser import (
    MapReader,
    item_step,
    may_be_visited,
    misleading_ids,
)
from executor_service.definitions.parameter_parser import read_parameters
from executor_service.definitions.retry_parser import retry_policy
from executor_service.definitions.secret_checks import check_secrets
from executor_service.definitions.shape import MAX_PROBLEMS, ShapeReader
from executor_service.definitions.step_loader import (
    Allowlist,
    NotLoadable,
    load_function,
    load_step_class,
)
from executor_service.definitions.template_names import refused_templates
from executor_service.definitions.unknown_keys import unknown_keys, unknown_types
from executor_service.engine.conditions import ConditionCompiler, UserFunction
from executor_service.engine.error_text import text_of
from executor_service.engine.plan import LoopBounds, Plan, SchemaCheck, StepPlan
from executor_service.engine.template_ids import TemplateNames
from executor_service.engine.templates import compile_template, is_constant
from executor_service.engine.values import Absent
from executor_service.errors import Problem
from executor_service.steps.plain_steps import BUILT_IN
from executor_service.steps.step import Step
from steplog_contracts.definition import PipelineDefinition
from steplog_contracts.definition_parts import FIRST_LANGUAGE, LANGUAGE
from steplog_contracts.payload import JsonObject, JsonValue
from steplog_contracts.schema_cost import PatternRoom
from steplog_contracts.step_types import (
    BuiltInStep,
    MapStep,
    PipelineStep,
    StepDefinition,
    TaskStep,
)

_log = structlog.get_logger(__name__)


@dataclass
class ReadDefinition:
    """A definition as far as it could be read; `plan` is None where its shape is broken."""

    problems: list[Problem] = field(default_factory=list)
    plan: Plan | None = None
    classes: dict[str, type[Step]] = field(default_factory=dict)
    configs: dict[str, JsonObject] = field(default_factory=dict)
    parameters: list[tuple[str, bool, JsonValue | Absent]] = field(default_factory=list)
    check_input: SchemaCheck | None = None


def read_definition(
    definition: JsonValue,
    allowlist: Allowlist,
    made: Collection[str] | None = None,
    *,
    is_recorded: bool = False,
    language: int = LANGUAGE,
    imports: bool = True,
) -> ReadDefinition:
    """Read a definition. `made` names the steps whose objects exist already, if they do.

    Without `imports` modules are held to the allowlist and no more.
    """
    read = ReadDefinition()
    shape = ShapeReader(language, is_recorded=is_recorded)
    shaped = shape.pipeline(definition, read.problems)
    if shaped is not None:
        reader = _DefinitionReader(shaped, read, allowlist, made, shape, imports=imports)
        try:
            reader.read_all()
        except BaseException as error:  # Nothing here awaits: it is the definition that led to it.
            _log.exception("definition_not_read", exc_info=error)
            message = f"It can't be read: {type(error).__name__}: {text_of(error)}."
            read.problems.append(Problem("$", message, "please report this"))
            read.plan = None
    return read


class _DefinitionReader:
    def __init__(
        self,
        shaped: PipelineDefinition,
        read: ReadDefinition,
        allowlist: Allowlist,
        made: Collection[str] | None,
        shape: ShapeReader,
        *,
        imports: bool,
    ) -> None:
        self._shaped = shaped
        self._read = read
        self._errors = 0
        self._pattern_room = PatternRoom()
        self._allowlist = allowlist
        self._made = made
        self._undoing_from = ClassesAtHand(made, read.classes, self._load_class, self._problem)
        self._shape = shape
        self._imports = imports
        ids, functions = (step.id for step in shaped.steps), shape.language > FIRST_LANGUAGE
        self._step_ids = TemplateNames(ids, functions=functions)
        # What is on record already is read as it was.
        self._timeless = self._step_ids if shape.is_recorded else self._step_ids.without_time()
        self._maps = MapReader(self._step_ids, self._problem)
        self._conditions = ConditionCompiler(
            self._timeless, self._problem, self._function, time.monotonic
        )

    def read_all(self) -> None:
        shaped, read = self._shaped, self._read
        if not self._shape.is_recorded:
            read.problems += islice(unknown_types(shaped), MAX_PROBLEMS)
            read.problems += islice(unknown_keys(shaped), MAX_PROBLEMS)
        misleading_ids(shaped.steps, self._problem)
        read.parameters = read_parameters(shaped, self._step_ids, self._problem)
        read.problems.extend(check_secrets(shaped))
        read.check_input = self._schema(shaped.input_schema, "$.input_schema")
        flow = FlowReader(shaped, self._conditions, self._problem, self._shape.language)
        steps = {step.id: self._step(step, index, flow) for index, step in enumerate(shaped.steps)}
        loop = shaped.loop_config
        read.plan = Plan(
            name=shaped.name,
            version=None if shaped.version is None else str(shaped.version),
            steps=steps,
            paths=tuple(flow.paths),
            start_at=shaped.flow.start_at,
            loop=LoopBounds() if loop is None else LoopBounds(**_declared(loop, LoopBounds)),
            outputs=read_inputs(shaped.outputs, self._timeless, required=False),
            check_output=self._schema(shaped.output_schema, "$.output_schema"),
            compensates=shaped.on_failure is not None,
            limits=read_limits(shaped, self._timeless, self._problem),
            ordered=tuple(steps.values()),
        )
        read.problems += islice(refused_templates(self._step_ids, shaped), MAX_PROBLEMS)
        is_clear = len(steps) == len(shaped.steps) and shaped.flow.start_at in steps
        if is_clear and not any(problem.severity == "error" for problem in read.problems):
            read.plan = flow.with_closing_paths(read.plan)
            read.problems.extend(check_flow(read.plan))

    def _schema(self, schema: JsonObject | bool | None, where: str) -> SchemaCheck | None:
        # Data passes through steps under many names, so with secrets no message quotes any of it.
        quoting = not self._shaped.secrets
        return compile_schema(
            schema, where, self._problem, quoting=quoting, room=self._pattern_room
        )

    def _problem(self, where: str, message: str, hint: str = "") -> None:
        self._errors += 1
        if self._errors <= MAX_PROBLEMS:
            self._read.problems.append(Problem(where, message, hint))

    def _step(self, step: StepDefinition, index: int, flow: FlowReader) -> StepPlan:
        where = f"$.steps[{index}]"
        if isinstance(step, MapStep):
            return self._map(step, index, flow)
        task = step if isinstance(step, TaskStep) else task_of(step, where, self._problem)
        if isinstance(step, BuiltInStep):
            self._read.classes[step.id] = BUILT_IN[step.type]
        self._load(task, where, step)
        if isinstance(step, PipelineStep) and step.definition is not None:
            self._check_child(step.definition, f"{where}.definition")
        plan = self._plan(task, step, index, where)
        return replace(
            plan,
            child=read_child(step, where, self._shaped.name, self._step_ids, self._problem),
            asks_time=plan.asks_time or self._step_ids.take_asked_time(),
            condition=flow.choice(step, where),
            compensation=read_compensation(task, step.id, where, self._undoing_from),
            join=flow.join(step, where),
            outgoing=flow.outgoing(step.id),
            always=flow.always_taken(step.id),
        )

    def _check_child(self, definition: JsonObject, where: str) -> None:
        """Report what is wrong with a child's definition, but for what its classes may lack."""
        if self._shape.is_recorded:
            return
        for found in read_definition(definition, self._allowlist, imports=False).problems:
            if found.severity == "error":
                self._problem(where + found.json_path[1:], found.message, found.hint)

    def _map(self, step: MapStep, index: int, flow: FlowReader) -> StepPlan:
        where = f"$.steps[{index}]"
        check_output = self._schema(step.output_schema, f"{where}.output_schema")
        item = self._item(step, index, where)
        return replace(
            self._maps.step(step, index, where, item),
            asks_time=self._step_ids.take_asked_time(),
            check_output=check_output,
            outgoing=flow.outgoing(step.id),
            always=flow.always_taken(step.id),
            join=flow.join(step, where),
        )

    def _item(self, step: MapStep, index: int, where: str) -> StepPlan:
        """Return the step that each item of a map visits."""
        named = item_step(step)
        if named is None or (step.step is not None and not may_be_visited(step.step)):
            return self._maps.calling(step, index)
        self._load(named, f"{where}.step", named)
        where = f"{where}.step"
        undone = read_compensation(named, step.id, where, self._undoing_from)
        return replace(self._plan(named, named, index, where), always=(), compensation=undone)

    def _plan(self, task: TaskStep, step: StepDefinition, index: int, where: str) -> StepPlan:
        handling = self._shape.handling_of(task, where, self._read.problems)
        config = {k: v for k, v in task.config.items() if k != "error_handling"}
        template = compile_template(config, self._step_ids)
        self._read.configs[step.id] = task.config
        return StepPlan(
            id=step.id,
            index=index,
            name=step.name or step.id,
            type=step.type,
            config=task.config,
            config_template=None if is_constant(template) else template,
            inputs=read_inputs(step.inputs, self._step_ids, required=True) or (),
            asks_time=self._step_ids.take_asked_time(),
            retry=None if handling.retry is None else retry_policy(handling.retry),
            continue_on_error=handling.continue_on_error,
            enable_fallback=handling.enable_fallback,
            timeout_seconds=handling.timeout_seconds,
            heartbeat_timeout_seconds=handling.heartbeat_timeout_seconds,
            is_pure=step.effects == "none",
            check_input=self._schema(task.input_schema, f"{where}.input_schema"),
            check_output=self._schema(task.output_schema, f"{where}.output_schema"),
        )

    def _load(self, task: TaskStep, where: str, step: StepDefinition) -> None:
        is_given = self._made is not None or not isinstance(step, TaskStep)
        if not is_given and (step.type != "condition" or task.module is not None):
            self._load_class(task, step.id, where)

    def _load_class(self, task: TaskStep, name: str, where: str) -> None:
        class_name = task.step_class or task.class_
        if not task.module or not class_name:
            missing = "step_class" if task.module else "module"
            self._problem(f"{where}.{missing}", f"Step '{name}' names no {missing}.")
            return
        try:
            if self._imports:
                found = load_step_class(task.module, class_name, self._allowlist)
                self._read.classes[name], self._read.configs[name] = found, task.config
            else:
                self._allowlist.check(task.module)
        except NotLoadable as error:
            self._problem(f"{where}.module", str(error), error.hint)

    def _function(self, module: str, name: str, where: str) -> UserFunction | None:
        try:
            if self._imports:
                return load_function(module, name, self._allowlist)
            self._allowlist.check(module)
            return _not_imported
        except NotLoadable as error:
            self._problem(where, str(error), error.hint)
            return None


def _not_imported(_context: object, _parameters: object) -> bool:
    raise AssertionError("nothing runs what was read without its imports")


def _declared(part: BaseModel, target: type[Any]) -> dict[str, Any]:
    return {name: getattr(part, name) for name in target.__dataclass_fields__}
