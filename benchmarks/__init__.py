"""Real weights, the published method as a baseline, and synthetic checkpoints: what TensorGuard is measured with."""
