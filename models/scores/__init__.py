"""The protocol's figures: `python -m models.scores`, which `make evaluate` calls, and the tables of the card."""
