"""A map over a folder of small files, and a child pipeline with a map over the rows of one."""
