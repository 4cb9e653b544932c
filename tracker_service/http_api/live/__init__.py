"""Server-sent events: the change feed, its subscribers and what matches their filters."""
