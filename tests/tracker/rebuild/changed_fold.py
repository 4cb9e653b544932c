"""A projection of another version: it names pipelines in capitals and sets one kind aside."""

from tracker_service.projections.batch_fold import BatchFold
from tracker_service.projections.errors import Unfoldable
from tracker_service.projections.record_header import Heading
from tracker_service.projections.state import ExecutionState


class CapitalNames(BatchFold):
    """Writes the names of pipelines in capitals."""

    def apply(self, state: ExecutionState | None, heading: Heading) -> None:
        """Fold as ever, then change the name."""
        super().apply(state, heading)
        changed = self.states[heading.execution_id]
        changed.pipeline_name = f"{changed.pipeline_name.rstrip('!').upper()}!"


class NoCompletions(BatchFold):
    """Can't apply the end of an execution."""

    def apply(self, state: ExecutionState | None, heading: Heading) -> None:
        """Refuse an end, fold everything else."""
        if heading.kind.startswith("steplog.execution.completed"):
            raise Unfoldable("unknown_version", "Ends are new to this tracker.")
        super().apply(state, heading)
