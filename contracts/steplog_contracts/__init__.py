"""What crosses the wire between the executor, the tracker and their clients, and nothing else.

Standard library and pydantic only, so that any program can take this package without the services.
"""
