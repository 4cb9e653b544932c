"""The past folded again: on a real broker and a real PostgreSQL."""
