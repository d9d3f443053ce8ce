"""Benchmarks: each is a target of its own (`make bench-<name>`); see docs/performance.md."""
