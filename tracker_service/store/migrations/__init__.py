"""Numbered SQL files, applied forward only; a database newer than the code is refused.

A file is one transaction. In one named `*.concurrently.sql` each statement stands alone, as
`CREATE INDEX CONCURRENTLY` wants it: it may be broken off between two of them and is then applied
again from its beginning, so each statement bears being repeated.
"""

from dataclasses import dataclass
from importlib.resources import files

from tracker_service.store.errors import StoreRefused

# The version of the fold these rows come from. A change of what the fold makes of the same events
# raises it, and rows of another version must be rebuilt before this code goes on with them.
PROJECTION_VERSION = 1


@dataclass(frozen=True, slots=True)
class Migration:
    """One file: `0001_read_model.sql` is version 1."""

    version: int
    name: str
    sql: str

    @property
    def concurrent(self) -> bool:
        """Whether it is applied statement by statement, while others read and write."""
        return self.name.endswith(".concurrently.sql")

    @property
    def statements(self) -> list[str]:
        """The statements of a file in which each stands alone."""
        lines = [line for line in self.sql.splitlines() if not line.startswith("--")]
        return [text.strip() for text in "\n".join(lines).split(";") if text.strip()]


def migrations(dialect: str) -> list[Migration]:
    """Return the migrations for `postgres` or `sqlite`, in order."""
    folder = files(__package__) / dialect
    found = [
        Migration(int(file.name.split("_")[0]), file.name, file.read_text())
        for file in folder.iterdir()
        if file.name.endswith(".sql")
    ]
    return sorted(found, key=lambda migration: migration.version)


def pending(dialect: str, applied: int) -> list[Migration]:
    """Return what is still to apply.

    Raises:
        StoreRefused: the database is newer than this code.
    """
    known = migrations(dialect)
    newest = known[-1].version
    if applied > newest:
        raise StoreRefused(
            f"The read model's schema has version {applied}, newer than this tracker knows "
            f"({newest}); upgrade the tracker, or point it at a database of its own."
        )
    return [migration for migration in known if migration.version > applied]


def check_projection_version(stored: int) -> None:
    """Raise `StoreRefused` unless the rows were made by this version of the fold."""
    if stored != PROJECTION_VERSION:
        raise StoreRefused(
            f"The rows were made by projection version {stored} and this tracker has version "
            f"{PROJECTION_VERSION}; run the matching tracker, or rebuild with `steplog rebuild`."
        )
