"""What many models on many machines take."""
