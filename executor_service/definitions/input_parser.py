"""Reading `inputs` of a step and `outputs` of a pipeline: names, and templates of their values."""

from executor_service.engine.template_ids import TemplateNames
from executor_service.engine.templates import Input, compile_template
from executor_service.engine.values import ABSENT
from steplog_contracts.definition_parts import InputDeclaration
from steplog_contracts.payload import JsonObject


def read_inputs(
    declared: list[InputDeclaration] | JsonObject | None, names: TemplateNames, *, required: bool
) -> tuple[Input, ...] | None:
    """Return what is declared, in either form; those of an object are `required` as said."""
    if declared is None:
        return None
    if isinstance(declared, dict):
        return tuple(
            Input(name, compile_template(value, names, sources=True), required)
            for name, value in declared.items()
        )
    return tuple(
        Input(
            item.name,
            compile_template(item.source, names, sources=True)
            if "source" in item.model_fields_set
            else compile_template(f"{{{{ {item.name} }}}}", names),
            item.required,
            item.default if "default" in item.model_fields_set else ABSENT,
        )
        for item in declared
    )
