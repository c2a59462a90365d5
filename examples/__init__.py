"""Programs that show what TensorGuard does."""
