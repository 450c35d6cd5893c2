"""Torch modules, their registry, training and evaluation."""
