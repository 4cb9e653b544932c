"""Where the SQL of the two databases differs, and the arguments of a statement.

Statements are written with `$1`, `$2`; SQLite's door turns them into `?1`, `?2`.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tracker_service.store.sql.metadata_text import POSTGRES_JSON


@dataclass(frozen=True, slots=True)
class Dialect:
    """SQL for things that have no common spelling; each takes the SQL of its arguments."""

    metadata_text: Callable[[str, str], str]  # column, key -> the value as `metadata_text` has it
    place_in: Callable[[str, str], str]  # text, part -> 1-based place, 0 if it is not there
    epoch_s: Callable[[str], str]  # time -> whole seconds since 1970
    among: Callable[[str, str], str]  # column, list -> whether it is one of them
    listed: Callable[[Sequence[str]], Any]  # texts -> the argument that stands for the list
    references: str  # Rows of stored_payloads -> an object by pointer, or null for none


POSTGRES = Dialect(
    metadata_text=lambda column, key: f"({POSTGRES_JSON.format(column=column)}) ->> {key}::text",
    place_in=lambda text, part: f"strpos({text}, {part}::text)",
    epoch_s=lambda time: f"floor(extract(epoch FROM {time}))::bigint",
    among=lambda column, texts: f"{column} = ANY({texts}::text[])",
    listed=list,
    references="json_object_agg(pointer, json_build_object("
    "'uri', uri, 'sha256', sha256, 'size_bytes', size_bytes))",
)
SQLITE = Dialect(
    metadata_text=lambda column, key: f"metadata_text({column}, {key})",
    place_in=lambda text, part: f"instr({text}, {part})",
    epoch_s=lambda time: f"unixepoch({time})",
    among=lambda column, texts: f"{column} IN (SELECT value FROM json_each({texts}))",  # noqa: S608
    listed=lambda texts: json.dumps(list(texts)),
    references="NULLIF(json_group_object(pointer, json_object("
    "'uri', uri, 'sha256', sha256, 'size_bytes', size_bytes)), '{}')",
)


class Arguments(list[Any]):
    """The values of a statement in order; `add` returns the sign that stands for one."""

    def add(self, value: Any) -> str:
        """Take a value and return its sign."""
        self.append(value)
        return f"${len(self)}"
