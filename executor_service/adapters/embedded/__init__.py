"""The log of embedded mode as the executor's ports: topics in one SQLite file."""
