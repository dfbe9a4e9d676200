"""One script a claim: `python -m benchmarks.<name>`."""
