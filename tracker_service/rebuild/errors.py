"""Why the past can't be folded again.

TrackerError
└── RebuildRefused       a person must decide something; nothing has been changed
    ├── RebuildStopped   the log holds what can't be applied; the text names where
    └── RebuildBusy      another rebuild runs on these rows
"""

from tracker_service.projections.errors import TrackerError


class RebuildRefused(TrackerError):
    """A rebuild can't begin or go on; the live rows are as they were, the text has the remedy."""


class RebuildStopped(RebuildRefused):
    """An event of the log can't be applied, or events are missing."""


class RebuildBusy(RebuildRefused):
    """Only one rebuild at a time works on a read model."""
