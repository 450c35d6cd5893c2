"""The demo: five live streams lined up and fused on one machine, and an account of every record."""
