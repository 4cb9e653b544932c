"""Tests of `tracker/http_api`."""
