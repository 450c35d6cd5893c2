"""Benchmarks; each says how it is run in bench/README.md."""
