"""A loop with an exit: Newton's method until the guess is good enough."""
