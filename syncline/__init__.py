"""Syncline: producers push media, consumers get one answer per moment."""
