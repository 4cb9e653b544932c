"""A server that somebody else runs, known by its address."""

from collections.abc import Callable
from dataclasses import dataclass

from steplog.errors import ServiceUnreachable
from steplog.local.server import Running
from steplog_contracts.addresses import without_passwords


class Elsewhere:
    """Nothing of ours runs, so nothing ends and nothing is stopped."""

    pid: int | None = None
    exit_code: int | None = None
    log = "with whoever runs it"
    last_words = ""

    def ask_to_stop(self) -> None:
        """Leave it alone."""

    def stop(self) -> None:
        """Leave it alone."""


@dataclass(frozen=True, slots=True)
class GivenServer:
    """An address from the environment and the request that tells whether it is right."""

    name: str
    title: str  # For people.
    address: str
    variable: str  # Where the address was given, for the error.
    answers: Callable[[str], bool]
    kind: str = "given"

    def start(self) -> Running:
        """Check that it answers.

        Raises:
            ServiceUnreachable: it does not.
        """
        if not self.is_ready():
            raise ServiceUnreachable(
                f"{self.title} does not answer at {without_passwords(self.address)}; "
                f"start it there, or correct or unset {self.variable}."
            )
        return Elsewhere()

    def is_ready(self) -> bool:
        """Whether it answers a real request."""
        return self.answers(self.address)
