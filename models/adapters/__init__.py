"""Pretrained models that people already have, as models and converters of the service; each in an extra of its own."""
