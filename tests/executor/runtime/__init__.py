"""Tests of `executor/runtime`."""
