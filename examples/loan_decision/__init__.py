"""Branching: a loan is granted, refused, or looked at by both a clerk's list and a second check."""
