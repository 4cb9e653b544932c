"""What a built pipeline can do: be written down, checked, run here, sent to an executor."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from steplog.builder.draft import Draft
from steplog.errors import BadInput
from steplog_contracts.payload import JsonObject

if TYPE_CHECKING:
    from executor_service import Pipeline, Problem
    from steplog.client.sender import Submitted

_PROGRAM: Final = "__main__"


class Runnable:
    """A pipeline, or a place in one, which speaks for the whole."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft

    @property
    def definition(self) -> JsonObject:
        """The definition as JSON, a copy.

        Raises:
            BadInput: it has no step yet.
        """
        return self._draft.copied()

    def to_json(self) -> str:
        """Return the definition as the text of a file.

        Raises:
            BadInput: it has no step, or a step that other processes can't import.
        """
        return json.dumps(self._for_others(), indent=2, ensure_ascii=False) + "\n"

    def pipeline(self) -> Pipeline:
        """Return the pipeline made from the definition, for `await pipeline.run(...)`.

        Raises:
            DefinitionRefused: it has no clear meaning; everything wrong is listed.
        """
        from executor_service import create_pipeline_from_json  # noqa: PLC0415 - loads the engine

        return create_pipeline_from_json(self.definition)

    def check(self) -> Sequence[Problem]:
        """Return warnings about the definition, none where all is well.

        Raises:
            DefinitionRefused: as of `pipeline`.
        """
        return self.pipeline().blueprint.warnings

    def run(self, input: JsonObject | None = None, **given: Any) -> JsonObject:  # noqa: A002
        """Run it here and now; returns `{"input", "output", "steps": [...]}`.

        `given` is what `Pipeline.run` takes by name. Nothing is recorded: `steplog run` and
        `submit` are for that. In a coroutine, use `await flow.pipeline().run(...)`.

        Raises:
            DefinitionRefused, InputRefused, RunFailed: as of `Pipeline.run`.
        """
        return asyncio.run(self.pipeline().run(input, **given))

    def submit(self, input: JsonObject | None = None, **given: Any) -> Submitted:  # noqa: A002
        """Send a command to run it to the steplog that the settings name; returns its ids.

        `given` is what `Steplog.run` takes by name.

        Raises:
            BadInput: a step that other processes can't import.
            NotAvailable: there is no steplog to send it to.
        """
        from steplog.blocking import BlockingSteplog  # noqa: PLC0415 - loads the client

        definition = self._for_others()
        with BlockingSteplog.connect() as steplog:
            return steplog.run(definition, input or {}, **given)

    def _for_others(self) -> JsonObject:
        definition = self.definition
        for step in definition["steps"]:
            if step.get("module") == _PROGRAM:
                raise BadInput(
                    f"Step {step['id']} is defined in the program itself, which no executor can "
                    "import; run the file as `steplog run FILE.py:NAME`, or move the step into a "
                    "module."
                )
        return definition
