"""Recorded executions led through a changed definition, one after another."""

from collections.abc import Sequence

from executor_service.definitions.blueprint import Blueprint, compile_flow
from executor_service.definitions.step_loader import Allowlist
from executor_service.engine.replay import Divergence, rehearse
from executor_service.errors import InputRefused
from steplog_contracts.events import Event, ExecutionStarted
from steplog_contracts.payload import JsonObject, sha256_of

# Definitions seen in recorded executions and kept compiled; a fleet has far fewer versions.
MAX_DEFINITIONS = 256


class Rehearsing:
    """Tells where executions would go another way under one changed definition."""

    def __init__(self, changed: JsonObject, allowlist: Allowlist) -> None:
        """Raise `DefinitionRefused` where the changed definition breaks a rule."""
        self._allowlist = allowlist
        self._changed = compile_flow(changed, allowlist)
        self._recorded: dict[tuple[str, int], Blueprint] = {}

    def difference(self, events: Sequence[Event]) -> Divergence | None:
        """Return the first difference of a recorded execution, None if it goes the same way.

        Raises:
            DefinitionRefused: the definition it ran under can't be read here any more.
        """
        started = events[0]
        assert isinstance(started, ExecutionStarted)
        ran = self._blueprint(started)
        try:
            given = self._changed.checked_input(started.input)
            chosen = _chosen(started.parameters, ran)
            parameters = self._changed.resolved_parameters(given, chosen)
        except InputRefused as refusal:
            return Divergence("input", message=str(refusal))
        return rehearse(self._changed, ran.plan, events, parameters)

    def _blueprint(self, started: ExecutionStarted) -> Blueprint:
        assert started.definition is not None
        key = (sha256_of(started.definition), started.language)
        known = self._recorded.get(key)
        if known is None:
            if len(self._recorded) >= MAX_DEFINITIONS:
                self._recorded.clear()
            known = self._recorded[key] = compile_flow(
                started.definition, self._allowlist, is_recorded=True, language=started.language
            )
        return known


def _chosen(parameters: JsonObject, ran: Blueprint) -> JsonObject:
    """Return the values that were given; a declared default may change with the definition."""
    defaults = {declared.name: declared.default for declared in ran.parameters}
    return {
        name: value
        for name, value in parameters.items()
        if name not in defaults or defaults[name] != value
    }
