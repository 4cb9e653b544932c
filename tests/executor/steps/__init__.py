"""Tests of `executor/steps`."""
