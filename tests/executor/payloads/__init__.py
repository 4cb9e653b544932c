"""Tests of `executor/payloads`."""
