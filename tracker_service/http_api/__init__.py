"""The tracker's HTTP API: every answer comes from the read model and says how fresh it is."""
