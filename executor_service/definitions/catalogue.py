"""Definitions as executions need them: checked, compiled, and kept while they are in use."""

import json
import re
from collections import OrderedDict
from pathlib import Path

import structlog

from executor_service.definitions.blueprint import Blueprint, compile_definition, compile_unloaded
from executor_service.definitions.step_loader import Allowlist
from executor_service.errors import DefinitionRefused, Problem
from executor_service.service_errors import UnknownPipeline
from steplog_contracts.definition_parts import LANGUAGE
from steplog_contracts.payload import JsonObject, sha256_of

# Compiled definitions kept at once; the least recently used goes first.
MAX_BLUEPRINTS = 256
MAX_WARNINGS_LOGGED = 20  # Of one definition.
_SUFFIX = ".json"
_log = structlog.get_logger(__name__)
_PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,199}")


class DefinitionCatalogue:
    """Compiles definitions once each, whether sent inline or named in the pipelines folder."""

    def __init__(self, allowlist: Allowlist, folder: Path | None) -> None:
        self._allowlist = allowlist
        self._folder = folder
        self._blueprints: OrderedDict[tuple[str, bool, int], Blueprint] = OrderedDict()
        self._named: dict[str, tuple[float, JsonObject]] = {}

    def inline(self, definition: JsonObject) -> Blueprint:
        """Return the compiled form of a definition.

        Raises:
            DefinitionRefused: it breaks a rule; every problem is listed.
            NotAskedFor: this process leaves it to another one.
        """
        blueprint = self._compiled(definition, LANGUAGE, is_recorded=False)
        if blueprint.plan.has_children:
            self._refuse_missing(blueprint)
        return blueprint

    def unloaded(self, definition: JsonObject) -> Blueprint:
        """Return the compiled form of a definition without its code: to be ended, not to run.

        Raises:
            DefinitionRefused: it breaks a rule; every problem is listed.
        """
        return compile_unloaded(definition, Allowlist.everything())

    def recorded(self, definition: JsonObject, language: int) -> Blueprint:
        """Return the compiled form of a definition that an execution began with: what was allowed
        when it did still is, and it means what it meant.

        Raises:
            DefinitionRefused: it can't be run here.
            NotAskedFor: this process leaves it to another one.
        """
        return self._compiled(definition, language, is_recorded=True)

    def _compiled(self, definition: JsonObject, language: int, *, is_recorded: bool) -> Blueprint:
        self.admit(definition)
        digest = (sha256_of(definition), is_recorded, language)
        blueprint = self._blueprints.get(digest)
        if blueprint is None:
            blueprint = compile_definition(
                definition, self._allowlist, is_recorded=is_recorded, language=language
            )
            if not is_recorded:
                _warn_of(blueprint)
            self._blueprints[digest] = blueprint
            if len(self._blueprints) > MAX_BLUEPRINTS:
                self._blueprints.popitem(last=False)
        self._blueprints.move_to_end(digest)
        return blueprint

    def admit(self, definition: JsonObject) -> None:
        """Raise `NotAskedFor` for a definition that this process leaves to another one."""
        self._allowlist.admit(definition)

    def named(self, name: str) -> JsonObject:
        """Return the definition in the file of that name, read again whenever it changed.

        Raises:
            UnknownPipeline: there is no such file, or it is not a JSON object.
        """
        path = self._path(name)
        try:
            changed = path.stat().st_mtime
            known = self._named.get(name)
            if known is None or known[0] != changed:
                known = self._named[name] = (changed, _read(path))
            return known[1]
        except OSError as error:
            raise UnknownPipeline(name, self.names()) from error

    def names(self) -> list[str]:
        """Return the names a command may use."""
        if self._folder is None or not self._folder.is_dir():
            return []
        return sorted(path.name.removesuffix(_SUFFIX) for path in self._folder.glob(f"*{_SUFFIX}"))

    def _refuse_missing(self, blueprint: Blueprint) -> None:
        """Refuse a definition that has pipelines run which nobody knows here."""
        known = self.names()
        problems = []
        for step in blueprint.plan.ordered:
            child = step.child or (step.item.child if step.item else None)
            if child is not None and child.pipeline is not None and child.pipeline not in known:
                where = f"$.steps[{step.index}].pipeline"
                message = (
                    f"There is no pipeline '{child.pipeline}' for step '{step.id}' to have run."
                )
                hint = f"known here: {', '.join(known[:10]) or 'none'}"
                problems.append(Problem(where, message, hint))
        if problems:
            raise DefinitionRefused(problems)

    def _path(self, name: str) -> Path:
        # The name comes over the network: a plain file name, never a path.
        if self._folder is None or not _PLAIN_NAME.fullmatch(name):
            raise UnknownPipeline(name, self.names())
        return self._folder / f"{name}{_SUFFIX}"


def _warn_of(blueprint: Blueprint) -> None:
    for warning in blueprint.warnings[:MAX_WARNINGS_LOGGED]:
        _log.warning("definition_warning", pipeline=blueprint.plan.name, warning=str(warning))


def _read(path: Path) -> JsonObject:
    try:
        definition = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise UnknownPipeline(path.stem, [], reason=f"{path.name} is not JSON: {error}") from error
    if not isinstance(definition, dict):
        raise UnknownPipeline(path.stem, [], reason=f"{path.name} is not a JSON object")
    return definition
