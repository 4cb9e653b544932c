"""What a question's form may cost: bounded wherever an answer is held to it.

Native code checks the answer and nothing can interrupt it, so a form is judged before it is
compiled. Whoever validates calls this first.
"""

from typing import Final

from steplog_contracts.payload import JsonObject
from steplog_contracts.schema_cost import SchemaTooCostly, schema_cost

MAX_FORM_WAYS: Final = 10_000


def check_form_cost(form: JsonObject) -> None:
    """Do nothing where answers of every size are checked in time.

    Raises:
        SchemaTooCostly: the form's fields are reached in too many ways.
    """
    cost = schema_cost(form)
    if not cost.deepest_is_any or cost.ways[-1] > MAX_FORM_WAYS:
        raise SchemaTooCostly(f"there are more than {MAX_FORM_WAYS} ways down to one of its fields")
