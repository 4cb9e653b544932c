"""Pipelines without Kafka: run in the caller's process, and the older library's names."""
