"""The demo: five live streams joined and fused on one machine, with an account of every record."""
