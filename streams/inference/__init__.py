"""Runs the model: its thread, batches and failures."""
