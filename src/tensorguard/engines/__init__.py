"""How tasks run, knowing nothing of models."""
