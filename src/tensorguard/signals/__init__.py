"""What a layer answers: one signal per file."""
