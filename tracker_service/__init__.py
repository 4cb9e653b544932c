"""Events in, answers out: folds the events topic into the read model and answers from it.

`ExecutionTracker` is the one reader of history for programs; nothing here asks the executor.
"""

from tracker_service.execution_tracker import ExecutionTracker

__all__ = ["ExecutionTracker"]
