"""The protocol's figures: `python -m models.evaluation.scores`, which `make evaluate` calls, and the tables of the
card.
"""
