"""Executions that can't go on before their stored values are here.

Recorded events hold references in place of large values; going on needs the values. They are
fetched for executions that live and no others, beside the partition's other work. An execution
whose values are gone or altered fails; while the store is away it waits.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from executor_service.log.recovery import Fact, RecoveredExecution
from executor_service.payloads.claim_check import ClaimCheck
from executor_service.payloads.client import Payloads
from steplog_contracts.errors import SteplogError

# The last are offsets of the commands that came meanwhile.
Arrived = Callable[[RecoveredExecution, ClaimCheck, list[int]], None]
Failed = Callable[[RecoveredExecution, SteplogError, list[int]], None]


@dataclass(slots=True)
class _Arrival:
    task: asyncio.Task[None]
    commands: list[int] = field(default_factory=list)


class PayloadLoader:
    """Fetches for one partition; each execution ends at `arrived` or `failed`, called once."""

    def __init__(self, payloads: Payloads, arrived: Arrived, failed: Failed) -> None:
        self._payloads = payloads
        self._arrived = arrived
        self._failed = failed
        self._under_way: dict[str, _Arrival] = {}

    def __contains__(self, execution_id: str) -> bool:
        return execution_id in self._under_way

    @property
    def tasks(self) -> list[asyncio.Task[None]]:
        """Return what is under way, for whoever drops everything."""
        return [arrival.task for arrival in self._under_way.values()]

    def begin(self, unfinished: RecoveredExecution) -> None:
        """Fetch what the execution's events refer to."""
        task = asyncio.create_task(self._fetch(unfinished))
        self._under_way[unfinished.execution_id] = _Arrival(task)

    def commands_of(self, execution_id: str) -> list[int]:
        """Return the offsets of commands that are done once an execution under way has settled."""
        return self._under_way[execution_id].commands

    async def wait(self, execution_id: str) -> None:
        """Return once the execution is here, or is known to fail."""
        arrival = self._under_way.get(execution_id)
        if arrival is not None:
            await asyncio.wait([arrival.task])

    async def _fetch(self, unfinished: RecoveredExecution) -> None:
        try:
            whole, claim_check = await restored(unfinished, self._payloads)
        except SteplogError as error:
            commands = self._under_way.pop(unfinished.execution_id).commands
            self._failed(unfinished, error, commands)
        else:
            commands = self._under_way.pop(unfinished.execution_id).commands
            self._arrived(whole, claim_check, commands)


def refers(execution: RecoveredExecution) -> bool:
    """Say whether any of an execution's values is stored apart."""
    return any(fact.event.references for fact in execution.facts)


async def restored(
    execution: RecoveredExecution, payloads: Payloads
) -> tuple[RecoveredExecution, ClaimCheck]:
    """Return an execution with every value in its place, and what knows where each is stored.

    Raises:
        PayloadMissing: a value is not there.
        ContractError: a value was altered, or a reference points at nothing.
    """
    claim_check = ClaimCheck(payloads)
    if not refers(execution):
        return execution, claim_check
    events = await claim_check.restored([fact.event for fact in execution.facts])
    facts = [Fact(event, fact.time) for event, fact in zip(events, execution.facts, strict=True)]
    return replace(execution, facts=facts), claim_check
