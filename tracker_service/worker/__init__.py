"""The tracker's worker process: a Faust app that feeds the projector."""
