"""Tests of `executor/live`."""
