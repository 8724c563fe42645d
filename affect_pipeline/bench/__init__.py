"""Benchmarks that users can run: each prints a table and can write JSON."""
