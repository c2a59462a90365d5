"""Known models: an embedded store of their fingerprints, and the search in it."""
