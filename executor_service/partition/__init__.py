"""Partitions of the commands topic: the group member, and each partition it owns."""
