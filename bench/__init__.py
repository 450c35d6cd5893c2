"""Benchmarks; bench/README.md says how to run each."""
