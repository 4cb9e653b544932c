"""What a filter by metadata compares: the text of a top-level value, one meaning in both databases.

Numbers stand as they were written, true and false as such, texts as themselves. U+0000 and lone
surrogates, which neither database's text holds, stand visibly as their escapes, in keys and values
alike, as `projections.lens.column_text` has them; so everything stored can be asked for.
"""

import re
from typing import Final

import msgspec
from msgspec import Raw

# Escapes that are no text by themselves; where a JSON text has none, it is asked as it is.
_SUSPECT: Final = r"\\u(0000|[dD][89a-fA-F])"
_HEX: Final = "[0-9a-fA-F]"
_HIGH: Final = f"[dD][89abAB]{_HEX}{_HEX}"
_LOW: Final = f"[dD][c-fC-F]{_HEX}{_HEX}"
# Once each escaped backslash is written as \u005c, every backslash that is left begins an escape.
_NO_TEXT: Final = rf"\\u(0000|{_HIGH}(?!\\u{_LOW})|(?<!\\u{_HIGH}\\u){_LOW})"
# Of a column, the same JSON in a form that PostgreSQL can take apart (its manual, 8.14.1).
POSTGRES_JSON: Final = (
    f"CASE WHEN {{column}}::text ~ '{_SUSPECT}' THEN regexp_replace("
    rf"replace({{column}}::text, '\\', '\u005c'), '{_NO_TEXT}', '\\u005cu\1', 'g')::json "
    "ELSE {column} END"
)
_FIELDS: Final = msgspec.json.Decoder(dict[str, Raw])


def metadata_text(metadata: str | None, key: str) -> str | None:
    """Return the text of a value, None where there is none: what SQLite's statements call."""
    try:
        found = None if metadata is None else _FIELDS.decode(_textual(metadata)).get(key)
        text = "null" if found is None else bytes(found).decode()
        if text == "null":
            return None
        return str(msgspec.json.decode(text)) if text.startswith('"') else text
    except (ValueError, RecursionError):
        return None  # No JSON object; PostgreSQL would not have taken it.


def _textual(metadata: str) -> str:
    if re.search(_SUSPECT, metadata) is None:
        return metadata
    return re.sub(_NO_TEXT, r"\\u005cu\1", metadata.replace(r"\\", r"\u005c"))
