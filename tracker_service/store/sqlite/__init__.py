"""The read model in one SQLite file, behind the same ports."""
