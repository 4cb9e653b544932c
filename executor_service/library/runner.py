"""Pipelines from definitions, in library use: made, and run by one call."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from executor_service.definitions.blueprint import Blueprint, compile_definition
from executor_service.definitions.step_loader import Allowlist, load_step_class
from executor_service.engine.references import Reading
from executor_service.engine.scope import Scope
from executor_service.engine.templates import compile_template, render
from executor_service.errors import DefinitionRefused, Problem
from executor_service.library.pipeline import Pipeline
from executor_service.steps.service_registry import ServiceRegistry
from executor_service.steps.step import ExecutionContext, Step
from steplog_contracts.payload import JsonObject, JsonValue


def create_step_from_json(
    step_def: JsonObject,
    context: JsonObject | None = None,
    *,
    allowlist: Allowlist | None = None,
) -> Step:
    """Return the step object of a step's definition.

    `context` holds `parameters` and `pipeline_input`; templates in `config` are resolved from it
    where it is given, and left for the run where it is not.

    Raises:
        NotLoadable: module off the allowlist, or no such class.
        Unresolved: a template leads nowhere.
    """
    class_name = step_def.get("step_class") or step_def.get("class") or ""
    step_class = load_step_class(step_def.get("module", ""), class_name, allowlist)
    step_id = step_def.get("id") or step_def.get("name") or "Unknown"
    config: JsonObject = step_def.get("config") or {}
    if context is not None:
        template = compile_template(config, ())
        scope = Scope({})
        reading = Reading(
            ({},), context.get("parameters") or {}, context.get("pipeline_input") or {}, scope
        )
        config = render(template, reading, f"Step '{step_id}' config")
    return step_class(step_id, config)


def create_pipeline_from_json(
    config: JsonObject | str | Path,
    services: ServiceRegistry | None = None,
    *,
    allowlist: Allowlist | None = None,
) -> Pipeline:
    """Return the pipeline of a definition, given as a dict or as the path of a JSON file.

    Without an allowlist any installed module may be named, but the standard library's.

    Raises:
        DefinitionRefused: it breaks rules; everything wrong with it is listed.
    """
    definition = read_definition_file(config) if isinstance(config, (str, Path)) else config
    blueprint = compile_definition(definition, allowlist or Allowlist.everything())
    return Pipeline(
        blueprint.plan.name,
        _shown_steps(blueprint),
        definition["flow"],
        services,
        loop_config=definition.get("loop_config"),
        blueprint=blueprint,
    )


def read_definition_file(path: str | Path) -> JsonObject:
    """Return the definition in a JSON file.

    Raises:
        DefinitionRefused: there is no such file, or it is not a JSON object.
    """
    try:
        definition: JsonValue = json.loads(Path(path).read_bytes())
    except OSError as error:
        raise _refused(f"{path} can't be read: {error.strerror}.", "check the path") from error
    except (ValueError, RecursionError) as error:
        raise _refused(f"{path} is not JSON: {error}.", "check its syntax") from error
    if not isinstance(definition, dict):
        raise _refused(f"{path} holds no JSON object.", "a definition is an object")
    return definition


def _refused(message: str, hint: str) -> DefinitionRefused:
    return DefinitionRefused([Problem("$", message, hint)])


def _shown_steps(blueprint: Blueprint) -> list[Step]:
    """Return the steps to show as `Pipeline.steps`: names and configurations, never run."""
    return [Step(step.id, step.config) for step in blueprint.plan.ordered]


class GraphPipelineRunner:
    """Runs definitions; `services` is what steps and tracking find."""

    def __init__(
        self, services: ServiceRegistry | None = None, *, allowlist: Allowlist | None = None
    ) -> None:
        self.services = services if services is not None else ServiceRegistry()
        self._allowlist = allowlist

    async def run_pipeline_from_json(
        self,
        pipeline_config: JsonObject | str | Path,
        input_data: Mapping[str, Any] | None = None,
        execution_context: ExecutionContext | None = None,
        use_enhanced_features: bool = True,  # noqa: ARG002 - callers of the older library pass it
        *,
        execution_id: str | None = None,
    ) -> JsonObject:
        """Run a definition, given as a dict or a file's path; returns what `Pipeline.run` does.

        Raises:
            DefinitionRefused: it breaks rules; everything wrong with it is listed.
            InputRefused, RunFailed, RunCancelled: as of `Pipeline.run`.
        """
        pipeline = create_pipeline_from_json(
            pipeline_config, self.services, allowlist=self._allowlist
        )
        given = None if input_data is None else dict(input_data)
        return await pipeline.run(given, execution_context, execution_id=execution_id)
