"""Coverage-guided fuzzing of every parser: `python -m benchmarks.fuzz`. What is bounded, and by what: docs/hostile-input.md."""
