"""Runs one partition number: from raw records to published results."""
