"""The executor's ports over Kafka: commands in, events out, what topics must be."""
