"""Tests of `steplog/embedded`."""
