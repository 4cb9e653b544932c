"""The projector: applies records to the read model, and sets dead letters aside."""
