"""Definitions under test: a clock that skips waits, stubs of steps, crashes at any event."""
