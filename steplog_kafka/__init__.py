"""Connections to Kafka: one class of settings, and the only place where clients are made from it.

Everything of steplog that talks to a broker stands on this package, so an address, a password or a
certificate that is set once holds for every process and every command.
"""
