"""Tests of `steplog/admin`."""
