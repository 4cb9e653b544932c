"""Tests of what embedded mode keeps its log in."""
