"""The model at work: its thread, its batches, its failures."""
