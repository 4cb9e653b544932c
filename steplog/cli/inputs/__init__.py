"""Options and values of the command line, read and checked."""
