"""Tests of `executor/dedupe`."""
