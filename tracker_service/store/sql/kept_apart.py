"""What stands beside the rows of executions: stored values, and commands that were refused."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, Final

from tracker_service.store.queries import Row, StoredValue
from tracker_service.store.sql.dialect import Dialect

# Of one id, in what is told of it.
MAX_REFUSALS: Final = 20
_REFUSALS: Final = f"""
SELECT command_id, command_type, code, message, refused_at FROM refused_commands
WHERE execution_id = $1 ORDER BY log_offset DESC LIMIT {MAX_REFUSALS}
"""  # noqa: S608 - constants


class KeptApart(ABC):
    """The part of a read model in SQL that knows of what no row of an execution holds."""

    dialect: ClassVar[Dialect]

    @abstractmethod
    async def _fetch(self, query: str, *values: Any) -> Sequence[Row]:
        """Return the rows of a statement, JSON as `Raw`, times as times."""

    async def refusals(self, execution_id: str) -> Sequence[Row]:
        """Return the commands about an execution that were refused, the newest first."""
        return await self._fetch(_REFUSALS, execution_id)

    async def stored_payload(self, execution_id: str, sha256: str) -> StoredValue | None:
        """Return where a value that records of the execution refer to is."""
        rows = await self._fetch(
            "SELECT DISTINCT pointer, uri, sha256, size_bytes FROM stored_payloads "
            "WHERE execution_id = $1 AND sha256 = $2",
            execution_id,
            sha256,
        )
        return StoredValue.of(rows)

    async def _referring(self, executions: Sequence[Row]) -> Sequence[Row]:
        """Return rows of executions with the `references` to their values that are stored apart.

        Asked for the rows of a page alone: a list looks at many more than it shows.
        """
        if not executions:
            return executions
        found = await self._fetch(
            f'SELECT execution_id, {self.dialect.references} AS "references" '  # noqa: S608
            f"FROM stored_payloads WHERE {self.dialect.among('execution_id', '$1')} "
            "AND step_id = '' GROUP BY execution_id",
            self.dialect.listed([row["execution_id"] for row in executions]),
        )
        of = {row["execution_id"]: row["references"] for row in found}
        return [{**row, "references": of.get(row["execution_id"])} for row in executions]
