"""One execution at run time: state machine, step invocations, timers, human answers."""
