"""Deduplication of commands: ids in memory, and searches of the log."""
