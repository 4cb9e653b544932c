"""The port through which steps of type `kafka` write."""

from typing import NamedTuple, Protocol

from steplog_contracts.envelope import Record


class Written(NamedTuple):
    """Where a record stands in its topic."""

    partition: int
    offset: int


class RecordSender(Protocol):
    """Appends records to topics that are not ours."""

    async def send(self, topic: str, record: Record) -> Written:
        """Append one record and return where; it is there once this returns.

        Raises:
            RecordRefused: the topic is missing, or does not take such a record.
            RecordNotSent: no broker took it in time; it may be in the topic all the same.
        """

    async def aclose(self) -> None:
        """Close the connection, where one was made."""
