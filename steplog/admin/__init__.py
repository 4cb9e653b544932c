"""Administration of Kafka: topics made as declared, and the rights on them."""
