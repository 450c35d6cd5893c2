"""Preprocessing of one modality a file: pure functions from bytes to arrays."""
