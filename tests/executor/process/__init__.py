"""Tests of `executor/process`."""
