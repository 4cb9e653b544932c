"""Tests of `tracker/projector`."""
