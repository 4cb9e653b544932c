"""History from the log: an execution as of a moment, its recorded events by pages."""
