"""Tests of `tracker/access`."""
