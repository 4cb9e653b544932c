"""What the executor's ports are made of outside tests: Kafka, the system's clock."""
