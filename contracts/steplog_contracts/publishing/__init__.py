"""Generates what other languages and tools read of the contracts: JSON Schemas, AsyncAPI."""
