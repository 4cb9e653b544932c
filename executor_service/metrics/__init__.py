"""What happened in this process, counted for its metrics."""
