"""How fast fingerprints are, beside reading, hashing, the published method and the rivals: `python -m benchmarks.performance`."""
