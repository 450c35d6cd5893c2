"""Scores models and converters on a manifest of anybody's files: labels, retrieval, transcripts."""
