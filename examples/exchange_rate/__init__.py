"""Retry with fallback: a rate from a service that fails now and then, else yesterday's."""
