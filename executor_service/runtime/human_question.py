"""A step's question to a person, held to what can be asked before it is recorded."""

from typing import Final

from executor_service.definitions.json_schemas import form_problem
from executor_service.errors import ResultNotJson
from steplog_contracts.answer_form import assigned_to, names_somebody
from steplog_contracts.payload import JsonObject

# A hundred years; beyond that a wait without timeout is meant.
MAX_WAIT_SECONDS: Final = 100 * 365 * 24 * 3600


def checked_question(output: JsonObject) -> JsonObject:
    """Return the question as it is recorded: `assigned_users` a list of names, or null.

    Raises:
        ResultNotJson: it can't be asked so; the text says what to return.
    """
    timeout = output.get("timeout_seconds")
    is_number = isinstance(timeout, (int, float)) and not isinstance(timeout, bool)
    if timeout is not None and not (is_number and 0 < timeout <= MAX_WAIT_SECONDS):
        raise ResultNotJson(
            f"timeout_seconds of a question to a person is {timeout!r}; give a number of seconds "
            f"above 0 and up to {MAX_WAIT_SECONDS}."
        )
    problem = form_problem(output.get("ui_schema"))
    if problem is not None:
        raise ResultNotJson(
            f"The ui_schema of a question to a person is no JSON Schema: {problem}; see "
            "https://json-schema.org."
        )
    if output.get("assigned_users") is None:
        return output
    if not names_somebody(output["assigned_users"]):
        raise ResultNotJson(
            f"assigned_users of a question to a person is {output['assigned_users']!r:.200}; give "
            "a list of names."
        )
    return output | {"assigned_users": list(assigned_to(output["assigned_users"])) or None}
