"""Numbers in row tiles: decoding, names to roles, the canonical view of a checkpoint, the choice of layers."""
