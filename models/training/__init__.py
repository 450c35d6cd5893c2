"""Training and evaluation of the reference model."""
