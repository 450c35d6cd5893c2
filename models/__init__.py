"""Models and converters: their interface, registry, adapters, training and evaluation."""
