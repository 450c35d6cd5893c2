"""Scores models and converters on a manifest of any files: labels, retrieval, transcripts."""
