"""What the command line prints: tables, executions, flows, progress."""
