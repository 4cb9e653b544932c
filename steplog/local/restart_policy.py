"""When to start a process again that ended by itself, and when to give up."""

from dataclasses import dataclass

FIRST_DELAY_S = 0.5
MAX_DELAY_S = 15.0
# A process that ran this long was healthy; what ended it counts as a new story.
HEALTHY_AFTER_S = 60.0
MAX_RESTARTS_IN_A_ROW = 6


@dataclass(frozen=True, slots=True)
class RestartPolicy:
    """How often a process has ended in a row. Immutable: each ending gives a new one."""

    endings_in_a_row: int = 0

    def after_ending(self, ran_for_s: float) -> "RestartPolicy":
        """Return the policy once the process has ended after so long."""
        return RestartPolicy(1 if ran_for_s >= HEALTHY_AFTER_S else self.endings_in_a_row + 1)

    @property
    def gives_up(self) -> bool:
        """Whether it ended too often to be started again."""
        return self.endings_in_a_row > MAX_RESTARTS_IN_A_ROW

    @property
    def delay_s(self) -> float:
        """Return how long to wait: doubling from half a second, bounded."""
        doublings = max(self.endings_in_a_row - 1, 0)
        return float(min(FIRST_DELAY_S * 2**doublings, MAX_DELAY_S))
