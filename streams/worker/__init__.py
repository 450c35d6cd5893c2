"""A worker from its start to its end: its process, its parts, its memory, what it logs."""
