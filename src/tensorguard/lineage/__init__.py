"""Evidence of descent between models."""
