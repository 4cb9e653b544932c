"""Admission control: execution slots, concurrency limits, and the order of waiting."""
