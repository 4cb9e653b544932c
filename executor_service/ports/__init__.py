"""What the executor needs of the world: a log, commands, clocks, ids, stored payloads."""
