"""Tests of `executor/log`."""
