"""Where commands of the command line go and answers come from: Kafka, API, a file, a database."""
