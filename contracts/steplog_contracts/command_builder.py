"""Commands made from what people give, or one sentence about what can't be one."""

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import ValidationError

from steplog_contracts.commands import Command
from steplog_contracts.errors import SteplogError
from steplog_contracts.payload import json_problem
from steplog_contracts.validation_message import plain_message

CommandT = TypeVar("CommandT", bound=Command)


def made_command(
    kind: type[CommandT], given: Mapping[str, Any], refusal: type[SteplogError]
) -> CommandT:
    """Return a command with the fields given; raises `refusal` where a value has no form in it."""
    for name in kind.payload_fields:
        problem = json_problem(given.get(name))
        if problem is not None:
            raise refusal(f"{name} can't be sent: {problem}.")
    try:
        return kind.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise refusal(f"The command's {place} can't be used: {plain_message(first)}.") from error
