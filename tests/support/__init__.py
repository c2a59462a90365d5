"""What several test files need: real checkpoints, files made byte by byte, functions for worker processes."""
