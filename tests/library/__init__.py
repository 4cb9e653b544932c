"""Runs in library use: what callers in their own process hold."""
