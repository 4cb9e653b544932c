"""Events in, answers out: folds the events topic into rows and answers from them alone."""
