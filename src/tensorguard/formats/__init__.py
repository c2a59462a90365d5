"""What bytes mean: headers only, never the numbers."""
