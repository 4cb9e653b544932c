"""Tables as the writing sides know them, and the one upsert both databases speak.

`ONCE` columns are written when a row begins. `KEPT` columns hold payloads: a batch that brings none
leaves what is there. All others follow the fold.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, Generic, TypeVar

from msgspec import Struct

RowT = TypeVar("RowT")
# Columns filled by no field of their name: SQL reserves OFFSET, and retries are attempts but one.
_FIELD_OF: Final = {"log_offset": "offset", "retry_count": "attempt - 1"}


class Rule(Enum):
    """When an upsert overwrites a column."""

    KEY = "key"
    ONCE = "once"
    KEPT = "kept"
    ALWAYS = "always"


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its name, PostgreSQL type and rule."""

    name: str
    type: str
    rule: Rule


@dataclass(frozen=True)
class Table(Generic[RowT]):
    """A table, its columns in order, and the row of one result of the fold.

    Rows whose status is in `final` are never overwritten; a table without any `always` column is
    only ever added to.
    """

    name: str
    columns: tuple[Column, ...]
    row: Callable[[RowT], Sequence[Any]]
    final: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """All column names, in order."""
        return tuple(column.name for column in self.columns)

    def held_by(self, state: type[Struct]) -> tuple[str, ...]:
        """Return the columns that a fold's state is made of again: its fields, without payloads."""
        fields = set(state.__struct_fields__)
        return tuple(
            column.name
            for column in self.columns
            if column.rule is not Rule.KEPT and field_of(column.name) in fields
        )

    @property
    def keys(self) -> tuple[str, ...]:
        """The columns of the primary key."""
        return tuple(column.name for column in self.columns if column.rule is Rule.KEY)

    @property
    def not_final(self) -> str:
        """The condition for rows that may still be overwritten."""
        if not self.final:
            return "true"
        states = ", ".join(f"'{status}'" for status in self.final)
        return f"{self.name}.status NOT IN ({states})"

    def sets(self, source: str) -> str:
        """The assignments that overwrite a row by one of `source`, empty where none may."""
        updates = [_update(self.name, column, source) for column in self.columns]
        return ", ".join(update for update in updates if update)


def field_of(column: str) -> str:
    """Return the field of a fold's result that a column is filled from."""
    return _FIELD_OF.get(column, column)


def row_maker(columns: Sequence[str]) -> Callable[[Any], tuple[Any, ...]]:
    """Return a function from a fold's result to the values of columns, in their order.

    It is made from text, as the functions of dataclasses are: rows are made by the million, and
    `attrgetter` takes thrice as long.
    """
    values = "".join(f"result.{field_of(name)}, " for name in columns)
    made: Callable[[Any], tuple[Any, ...]] = eval(f"lambda result: ({values})")  # noqa: S307
    return made


def loaded(table: Table[Any], state: type[Struct], prefix: str = "") -> str:
    """Return the select list whose rows, by name, make a state again."""
    return ", ".join(f'{prefix}{name} AS "{field_of(name)}"' for name in table.held_by(state))


def upsert_sql(table: Table[Any], source: str) -> str:
    """Return the upsert of rows from `source`; the syntax is one both databases speak."""
    sets = table.sets("excluded")
    action = f"UPDATE SET {sets} WHERE {table.not_final}" if sets else "NOTHING"
    # Names and statuses are constants of this module, never input.
    return (
        f"INSERT INTO {table.name} ({', '.join(table.names)}) {source} "
        f"ON CONFLICT ({', '.join(table.keys)}) DO {action}"
    )


def _update(table: str, column: Column, source: str) -> str:
    name = column.name
    if column.rule is Rule.ALWAYS:
        return f"{name} = {source}.{name}"
    if column.rule is Rule.KEPT:
        return f"{name} = COALESCE({source}.{name}, {table}.{name})"
    return ""


def columns(text: str) -> tuple[Column, ...]:
    """Return columns from lines of name, type and rule."""
    words = (line.split() for line in text.strip().splitlines())
    return tuple(Column(name, kind, Rule(rule)) for name, kind, rule in words)
