"""Reading `parameters` of a pipeline, in either form: names, defaults, and which must be given."""

from collections.abc import Callable, Collection

from executor_service.engine.templates import compile_template, is_constant
from executor_service.engine.values import ABSENT, Absent
from steplog_contracts.definition import PipelineDefinition
from steplog_contracts.payload import JsonValue

Report = Callable[[str, str, str], None]


def read_parameters(
    shaped: PipelineDefinition, step_ids: Collection[str], problem: Report
) -> list[tuple[str, bool, JsonValue | Absent]]:
    """Return each parameter's name, whether it must be given, and its default."""
    declared = shaped.parameters
    read: list[tuple[str, bool, JsonValue | Absent]] = []
    if isinstance(declared, dict):
        read = [(name, False, value) for name, value in declared.items()]
        places = [f"$.parameters.{name}" for name in declared]
    else:
        for parameter in declared or ():
            default = parameter.default if "default" in parameter.model_fields_set else ABSENT
            read.append((parameter.name, parameter.required, default))
        places = [f"$.parameters[{index}].default" for index in range(len(read))]
    for where, (_, _, default) in zip(places, read, strict=True):
        if default is not ABSENT and not is_constant(compile_template(default, step_ids)):
            problem(where, "A default can't hold templates.", "write the value itself")
    return read
