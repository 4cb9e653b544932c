"""What a person holds: the command line, the client and the local stack."""
