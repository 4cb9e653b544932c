"""Pure folds from recorded events to the rows of the read model; no input, no output, no clock."""
