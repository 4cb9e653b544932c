"""Tests of `executor/partition`."""
