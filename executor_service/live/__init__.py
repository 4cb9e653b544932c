"""The executions that run in this process, or wait in it."""
