"""Training of the reference model: branches, fusion, trust."""
