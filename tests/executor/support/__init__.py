"""The executor's service side: partitions, claims, commands, recovery."""
