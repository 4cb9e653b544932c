"""Tests of `executor/commands`."""
