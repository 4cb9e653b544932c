"""Tests of `tracker/worker`."""
