"""The tables of the read model and how a fold's results fill them; both databases go by this."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from msgspec import structs

from tracker_service.projections.row_changes import (
    AppliedCommand,
    Changes,
    Definition,
    Question,
    RefusedCommand,
    StatusChange,
)
from tracker_service.projections.state import (
    FINAL_STATUSES,
    FINAL_STEP_STATUSES,
    ExecutionStartColumns,
    ExecutionState,
    Visit,
)
from tracker_service.store.sql.columns import Table, columns, row_maker
from tracker_service.store.sql.stored_payloads import STORED_PAYLOADS
from tracker_service.store.sql.visit_tables import COMPENSATIONS, FAILED_ATTEMPTS, PROGRESS


def _execution_row(state: ExecutionState) -> tuple[Any, ...]:
    begun = state.beginning
    start = _LATER if begun is None else structs.astuple(begun)
    return (*_before_start(state), *start, *_after_start(state))


EXECUTIONS: Final = Table[ExecutionState](
    "pipeline_executions",
    columns(
        """
        execution_id text key
        pipeline_id text once
        pipeline_name text once
        started_at timestamptz once
        declared_steps integer once
        partition integer once
        first_offset bigint once
        under_epoch boolean once
        version text once
        definition_hash text once
        input_data json once
        parameters json once
        metadata json once
        command_id text once
        parent_execution_id text once
        forked_from text once
        fork_kind text once
        fork_step text once
        fork_seq bigint once
        output_data json kept
        error_info json kept
        status text always
        completed_at timestamptz always
        total_steps integer always
        completed_steps integer always
        failed_steps integer always
        error_message text always
        execution_time_ms float8 always
        current_step text always
        seq bigint always
        log_offset bigint always
        incomplete boolean always
        """
    ),
    _execution_row,
    tuple(sorted(FINAL_STATUSES)),
)
_START: Final = ExecutionStartColumns.__struct_fields__
_LATER: Final = (None,) * len(_START)
_BEGIN: Final = EXECUTIONS.names.index(_START[0])
_before_start: Final = row_maker(EXECUTIONS.names[:_BEGIN])
_after_start: Final = row_maker(EXECUTIONS.names[_BEGIN + len(_START) :])


def _visit_row(visit: Visit) -> Sequence[Any]:
    return _visit_values(visit)


VISITS: Final = Table[Visit](
    "step_executions",
    columns(
        """
        execution_id text key
        step_id text key
        iteration integer key
        seq bigint once
        opened_at timestamptz once
        input_data json kept
        output_data json kept
        error_info json kept
        child_execution_id text kept
        item_count integer kept
        item_index integer once
        step_name text always
        step_type text always
        status text always
        started_at timestamptz always
        completed_at timestamptz always
        attempt integer always
        retry_count integer always
        error_message text always
        execution_time_ms float8 always
        interaction_id text always
        """
    ),
    _visit_row,
    tuple(sorted(FINAL_STEP_STATUSES)),
)
_visit_values: Final = row_maker(VISITS.names)
# From here on one column per field of the fold's result, in its order; rows are only added.
QUESTIONS: Final = Table[Question](
    "interactions",
    columns(
        """
        interaction_id text key
        execution_id text once
        pipeline_id text once
        step_id text once
        step_name text once
        iteration integer once
        prompt text once
        ui_schema json once
        channels json once
        assigned_users json once
        context_data json once
        created_at timestamptz once
        expires_at timestamptz once
        """
    ),
    structs.astuple,
)
STATUS_CHANGES: Final = Table[StatusChange](
    "execution_status_changes",
    columns(
        """
        execution_id text key
        seq bigint key
        status text once
        changed_at timestamptz once
        """
    ),
    structs.astuple,
)
APPLIED_COMMANDS: Final = Table[AppliedCommand](
    "applied_commands",
    columns(
        """
        command_id text key
        execution_id text once
        log_offset bigint once
        applied_at timestamptz once
        """
    ),
    structs.astuple,
)
REFUSED_COMMANDS: Final = Table[RefusedCommand](
    "refused_commands",
    columns(
        """
        command_id text key
        execution_id text once
        command_type text once
        code text once
        message text once
        log_offset bigint once
        refused_at timestamptz once
        """
    ),
    structs.astuple,
)
DEFINITIONS: Final = Table[Definition](
    "pipeline_definitions",
    columns(
        """
        definition_hash text key
        pipeline_id text once
        pipeline_name text once
        definition json once
        first_seen_at timestamptz once
        """
    ),
    structs.astuple,
)


ALL_TABLES: Final[tuple[Table[Any], ...]] = (
    EXECUTIONS,
    VISITS,
    FAILED_ATTEMPTS,
    PROGRESS,
    QUESTIONS,
    STATUS_CHANGES,
    COMPENSATIONS,
    APPLIED_COMMANDS,
    REFUSED_COMMANDS,
    DEFINITIONS,
)


def side_rows(changes: Changes) -> list[tuple[Table[Any], list[Sequence[Any]]]]:
    """Return the rows besides executions and visits, per table that has any."""
    tables: tuple[tuple[Table[Any], Iterable[Any]], ...] = (
        (DEFINITIONS, changes.definitions.values()),
        (FAILED_ATTEMPTS, changes.failed_attempts),
        (PROGRESS, changes.progress),
        (QUESTIONS, changes.questions),
        (STATUS_CHANGES, changes.status_changes),
        (COMPENSATIONS, changes.compensations),
        (APPLIED_COMMANDS, changes.applied_commands.values()),
        (REFUSED_COMMANDS, changes.refused_commands.values()),
        (STORED_PAYLOADS, changes.stored_payloads),
    )
    rows = ((table, [table.row(result) for result in results]) for table, results in tables)
    return [(table, found) for table, found in rows if found]


# Sorted by key: two writers then lock rows in one order, and pages are touched in order.


def execution_rows(changes: Changes) -> list[Sequence[Any]]:
    """Return the rows of executions a batch touched."""
    return [_execution_row(state) for _, state in sorted(changes.executions.items())]


def visit_rows(changes: Changes) -> list[Sequence[Any]]:
    """Return the rows of visits a batch touched."""
    return [_visit_values(visit) for _, visit in sorted(changes.visits.items())]
