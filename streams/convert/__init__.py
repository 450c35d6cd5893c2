"""Converts single events: which events, by which converter, and what of it is published."""
