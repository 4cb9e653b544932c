"""Real servers and services on this machine, as child processes of one supervisor."""
