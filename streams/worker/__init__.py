"""A worker from start to end: its process, parts, memory and log."""
