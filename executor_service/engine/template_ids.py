"""What templates of one definition may name and call, and those that can't be read."""

from collections.abc import Iterable

from executor_service.engine.expressions import Expression, calls, is_expression, parse
from executor_service.engine.references import parse_template
from executor_service.errors import ExpressionRefused


class TemplateNames(dict[str, None]):
    """The ids of steps that templates may name, and whether they may call functions."""

    def __init__(self, step_ids: Iterable[str], *, functions: bool) -> None:
        super().__init__(dict.fromkeys(step_ids))
        self.functions = functions
        self.refused: dict[str, str] = {}  # Templates that can't be read, and why.
        self._has_time = True
        self._asked_time = False

    def without_time(self) -> "TemplateNames":
        """Return the names for templates of no visit: nothing records what the time is there."""
        names = TemplateNames(self, functions=self.functions)
        names.refused, names._has_time = self.refused, False
        return names

    def take_asked_time(self) -> bool:
        """Say whether a template since the last call asks for the time."""
        asked, self._asked_time = self._asked_time, False
        return asked

    def expression(self, part: str, text: str) -> Expression:
        """Return one alternative of a template; one that can't be read is kept as refused."""
        if is_expression(part):
            try:
                return self._with_time(parse(part, self))
            except ExpressionRefused as error:
                self.refused[text] = str(error)
        return parse_template(part, self)

    def _with_time(self, expression: Expression) -> Expression:
        if calls(expression, "now"):
            if not self._has_time:
                raise ExpressionRefused(
                    "now() is known where a step runs, in its inputs and settings; put it into the "
                    "data with a step of type 'set'."
                )
            self._asked_time = True
        return expression
