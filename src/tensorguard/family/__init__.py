"""The paper's side: distances, clusters, families, thresholds."""
