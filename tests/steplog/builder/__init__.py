"""Tests of definitions built in Python."""
