"""Tests of connections to Kafka."""
