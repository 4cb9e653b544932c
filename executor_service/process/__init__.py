"""The executor's process: its event loop watched, its end bounded in time."""
