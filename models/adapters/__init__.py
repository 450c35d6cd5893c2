"""Adapters: pretrained models as models and converters of the service. Each needs its pip extra."""
