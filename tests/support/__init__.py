"""What several test files need: real checkpoints."""
