"""The executor's adapters, one by one."""
