"""Writes what other languages and tools read: a JSON Schema per type and one AsyncAPI 3 document.

    python -m steplog_contracts.publishing.generate
        write; refuse a schema that breaks readers of the old one
    python -m steplog_contracts.publishing.generate --check
        say what is out of date, write nothing

Everything is generated from the models, so it can't drift; tests hold it to be current.
"""

import json
import sys
from pathlib import Path

from steplog_contracts.commands import COMMAND_CLASSES
from steplog_contracts.definition import definition_schema
from steplog_contracts.errors import ContractError
from steplog_contracts.events import EVENT_CLASSES
from steplog_contracts.payload import JsonObject
from steplog_contracts.publishing.asyncapi import asyncapi_document
from steplog_contracts.publishing.block_yaml import block_yaml
from steplog_contracts.publishing.compatibility import breaking_changes
from steplog_contracts.publishing.refusals_page import refusals_page

FOLDER = Path(__file__).parents[2]
SCHEMAS = FOLDER / "schemas"
DEFINITION = SCHEMAS / "definition.json"
ASYNCAPI = FOLDER / "asyncapi.yaml"
REFUSALS = FOLDER.parent / "docs" / "refusals.md"
COMMAND = "python -m steplog_contracts.publishing.generate"
_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def payload_schemas() -> dict[str, JsonObject]:
    """Return JSON Schema 2020-12 of every payload, by its CloudEvents type."""
    types = {cls.event_type: cls for cls in EVENT_CLASSES} | {
        cls.command_type: cls for cls in COMMAND_CLASSES
    }
    return {
        name: {"$schema": _DIALECT, "$id": f"urn:{name}", **cls.model_json_schema()}
        for name, cls in types.items()
    }


def published_files() -> dict[Path, str]:
    """Return the text of every published file."""
    files = {
        SCHEMAS / f"{name}.json": json.dumps(schema, indent=2) + "\n"
        for name, schema in payload_schemas().items()
    }
    files[DEFINITION] = json.dumps(definition_schema(), indent=2) + "\n"
    files[ASYNCAPI] = "\n".join(block_yaml(asyncapi_document())) + "\n"
    files[REFUSALS] = refusals_page()
    return files


def out_of_date() -> list[Path]:
    """Return the published files that differ from the models."""
    return [
        path
        for path, text in published_files().items()
        if not path.exists() or path.read_text() != text
    ]


def publish() -> None:
    """Write every published file.

    Raises:
        ContractError: a schema would break readers of the published one; add a new version instead.
    """
    for name, schema in payload_schemas().items():
        path = SCHEMAS / f"{name}.json"
        if path.exists():
            breaks = breaking_changes(json.loads(path.read_text()), schema)
            if breaks:
                raise ContractError(
                    f"{name} would break its readers ({'; '.join(breaks)}); "
                    "add a type with the next version and an upcaster."
                )
    SCHEMAS.mkdir(exist_ok=True)
    for path, text in published_files().items():
        path.write_text(text)


def main(arguments: list[str]) -> int:
    """Write or check; return the exit code."""
    if arguments == ["--check"]:
        stale = out_of_date()
        for path in stale:
            sys.stdout.write(f"{path.name} is out of date; run {COMMAND}\n")
        return 1 if stale else 0
    try:
        publish()
    except ContractError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
