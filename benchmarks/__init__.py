"""Measured side by side: `python -m benchmarks.run` in seconds, `python -m benchmarks.smoke` in counts."""
