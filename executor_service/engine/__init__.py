"""The rules of a pipeline as pure code: fold what was recorded, decide what follows.

Nothing here reads a clock, draws a random number, waits or imports user code; what depends on
those comes in as a value. One shell (`executor_service.runtime.execution`) drives it, in a
library call and in the service alike.
"""
