"""Tests of `tracker/log`."""
