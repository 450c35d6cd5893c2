"""Conversions at work: what is converted, by which converter, and what may be published of it."""
