"""Reads, filters and resends dead letters."""
