"""The topics as the tracker uses them: events read, commands appended."""
