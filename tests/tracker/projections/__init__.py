"""Tests of `tracker/projections`."""
