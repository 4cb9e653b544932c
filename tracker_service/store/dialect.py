"""Where the SQL of the two databases differs, and the arguments of a statement.

Statements are written with `$1`, `$2`; SQLite's door turns them into `?1`, `?2`.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

# A JSON string may hold what PostgreSQL's text can't (its manual, 8.14.1): asking such a value for
# a field is an error of the whole statement, so it is never asked.
_UNASKABLE = r"\\u(0000|[dD][89abAB])"


@dataclass(frozen=True, slots=True)
class Dialect:
    """SQL for things that have no common spelling; each takes the SQL of its arguments."""

    metadata_text: Callable[[str, str], str]  # column, key -> the value as text
    metadata_key: Callable[[str], str]  # key -> the argument that stands for it
    place_in: Callable[[str, str], str]  # text, part -> 1-based place, 0 if it is not there
    epoch_s: Callable[[str], str]  # time -> whole seconds since 1970
    among: Callable[[str, str], str]  # column, list -> whether it is one of them
    listed: Callable[[Sequence[str]], Any]  # texts -> the argument that stands for the list
    references: str  # Rows of stored_payloads -> an object by pointer, or null for none


POSTGRES = Dialect(
    metadata_text=lambda column, key: (
        f"CASE WHEN {column}::text ~ '{_UNASKABLE}' THEN NULL ELSE {column} ->> {key}::text END"
    ),
    metadata_key=lambda key: key,
    place_in=lambda text, part: f"strpos({text}, {part}::text)",
    epoch_s=lambda time: f"floor(extract(epoch FROM {time}))::bigint",
    among=lambda column, texts: f"{column} = ANY({texts}::text[])",
    listed=list,
    references="json_object_agg(pointer, json_build_object("
    "'uri', uri, 'sha256', sha256, 'size_bytes', size_bytes))",
)
SQLITE = Dialect(
    metadata_text=lambda column, key: (
        f"CASE json_type({column}, {key}) WHEN 'true' THEN 'true' WHEN 'false' THEN 'false' "
        f"ELSE CAST(json_extract({column}, {key}) AS text) END"
    ),
    metadata_key=lambda key: f'$."{key}"',
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
