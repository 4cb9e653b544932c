"""Tests of `steplog/client`."""
