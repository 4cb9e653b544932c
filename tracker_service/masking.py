"""Secrets of a pipeline stay out of what is shown: fields its definition names are masked.

A definition's `secrets` holds dotted paths such as `password` or `card.number`; `*` stands for any
one key. A path matches at any depth, since data is merged and nested on its way through steps.
The log and the rows keep the values; whoever may read those sees them.
"""

import json
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from tracker_service.store.questions import Row
from tracker_service.store.reading import ReadModel

MASKED: Final = "***"
MAX_KNOWN_DEFINITIONS: Final = 1_000
MASKED_COLUMNS: Final = frozenset(
    {"input_data", "output_data", "parameters", "metadata", "context_data", "human_input"}
)
_ANY: Final = "*"

Path = tuple[str, ...]


class _Secrets(Struct):
    secrets: list[str] = []


_decoder = msgspec.json.Decoder(_Secrets)


class Mask:
    """The secret paths of one definition."""

    def __init__(self, paths: Sequence[str] = ()) -> None:
        self._paths: tuple[Path, ...] = tuple(
            tuple(path.split(".")) for path in paths if path.strip(".")
        )

    def __bool__(self) -> bool:
        return bool(self._paths)

    def row(self, row: Row) -> Row:
        """Return the row with secrets masked in its payloads."""
        if not self._paths:
            return row
        return {
            name: self.text(value) if name in MASKED_COLUMNS and isinstance(value, Raw) else value
            for name, value in row.items()
        }

    def text(self, text: Raw | bytes) -> Raw:
        """Return JSON text with secrets masked; what can't be looked through is masked whole."""
        try:
            return Raw(json.dumps(self.value(json.loads(bytes(text)))).encode())
        except (ValueError, RecursionError):
            return Raw(json.dumps(MASKED).encode())

    def value(self, value: Any) -> Any:
        """Return a JSON value with secrets masked."""
        return _masked(value, self._paths, ())


def _masked(value: Any, everywhere: Sequence[Path], begun: Sequence[Path]) -> Any:
    """Mask the paths that may begin here and the rest of those that began further up."""
    if isinstance(value, list):
        return [_masked(item, everywhere, begun) for item in value]
    if not isinstance(value, dict):
        return value
    found = {}
    for key, item in value.items():
        rest = [path[1:] for path in (*everywhere, *begun) if path[0] in (key, _ANY)]
        ended = any(not path for path in rest)
        found[key] = MASKED if ended else _masked(item, everywhere, [path for path in rest if path])
    return found


NOTHING: Final = Mask()
# Where it can't be known what is secret.
EVERYTHING: Final = Mask([_ANY])


class Masks:
    """The masks of definitions, read once each; they never change under their hash."""

    def __init__(self, model: ReadModel) -> None:
        self._model = model
        self._known: OrderedDict[str, Mask] = OrderedDict()

    async def row(self, row: Row) -> Row:
        """Return an execution's row masked."""
        return (await self.of(row.get("definition_hash"))).row(row)

    async def rows(self, rows: Sequence[Row]) -> list[Row]:
        """Return rows of executions masked."""
        return [await self.row(row) for row in rows]

    async def of(self, definition_hash: str | None) -> Mask:
        """Return the mask of a definition; an execution without one has no secrets."""
        if definition_hash is None:
            return NOTHING
        known = self._known.get(definition_hash)
        if known is None:
            text = await self._model.definition(definition_hash)
            if text is None:
                return NOTHING  # Perhaps not applied yet: ask again next time.
            known = self._known[definition_hash] = mask_of(text)
            if len(self._known) > MAX_KNOWN_DEFINITIONS:
                self._known.popitem(last=False)
        return known


def mask_of(definition: bytes) -> Mask:
    """Return the mask of a definition's JSON text."""
    try:
        return Mask(_decoder.decode(definition).secrets)
    except msgspec.DecodeError:
        return NOTHING
