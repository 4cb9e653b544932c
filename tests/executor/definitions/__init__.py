"""Tests of `executor/definitions`."""
