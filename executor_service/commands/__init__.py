"""A command's way: dispatched, refused, queued, or made an execution."""
