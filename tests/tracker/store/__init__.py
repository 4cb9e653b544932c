"""Tests of `tracker/store`."""
