"""The claim check: values stored beside the log, put and fetched."""
